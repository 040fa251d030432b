/** Figures as people read them: three digits, and a unit. */
import type { TableHead } from './subjects.js';

export function amount({ unit }: Pick<TableHead, 'unit'>, cost: number): string {
  return unit === 'bytes' ? `${Math.round(cost).toLocaleString('en-US')} B` : duration(cost);
}

export function duration(ms: number): string {
  if (ms >= 1) return `${digits(ms)} ms`;
  if (ms >= 0.001) return `${digits(ms * 1_000)} us`;
  return `${digits(ms * 1_000_000)} ns`;
}

export function digits(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export function count(value: number | string | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : Math.round(value).toLocaleString('en-US');
}
