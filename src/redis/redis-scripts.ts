/**
 * The scripts of locks on Redis.
 *
 * KEYS[1] has the holder, KEYS[2] the last token. ARGV: 1 the owner, 2 the time to live in ms; acquire: 3 how long to remember
 * the token, 4 the same where the token is ahead of the clock, 5 the number of places; renew: 3 as in acquire; release:
 * 2 the channel, 3 the message. An answer is {granted, token, free in ms}.
 */

/** The scripts of one kind of lock. */
export interface LockScripts {
  readonly acquire: string;
  readonly renew: string;
  readonly release: string;
}

/**
 * `nextToken`: the larger of the last token plus one and the server's clock in microseconds. A token that is ahead of the clock
 * has to be remembered for longer: once it is forgotten, tokens begin at the clock.
 */
const nextToken = `
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local token = time[1] * 1000000 + time[2]
local remember = ARGV[3]
if last >= token then
  token = last + 1
  remember = ARGV[4]
end
token = string.format('%.0f', token)
redis.call('SET', KEYS[2], token, 'PX', remember)`;

/** Keeps the token for at least ARGV[3] ms after the renewal. */
const rememberToken = `
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end`;

/** A user that may not publish can still unlock: a wake-up is only a hint. */
const publish = "redis.pcall('PUBLISH', ARGV[2], ARGV[3])";

/** KEYS[1] holds 'owner|token'. */
const ownerOf = "local owner, token = string.match(redis.call('GET', KEYS[1]) or '', '^(.*)|(%d+)$')";

export const mutexScripts: LockScripts = {
  acquire: `
${ownerOf}
if owner == ARGV[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, token, 0}
end
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then return {0, '0', left} end
local time = redis.call('TIME')
${nextToken}
redis.call('SET', KEYS[1], ARGV[1] .. '|' .. token, 'PX', ARGV[2])
return {1, token, 0}`,
  renew: `
${ownerOf}
if owner ~= ARGV[1] then return 0 end
${rememberToken}
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`,
  release: `
${ownerOf}
if owner ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
${publish}
return 1`,
};

/** Who holds a mutex: {owner, held for ms, free in ms}, or nothing. A token begins as the clock in microseconds. */
export const holderScript = `
${ownerOf}
if not owner then return {} end
local time = redis.call('TIME')
local held = math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - math.floor(token / 1000))
return {owner, held, redis.call('PTTL', KEYS[1])}`;

/** KEYS[1] is a sorted set of owners by the end of their grant, in milliseconds of the server's clock. */
const withoutExpired = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)`;

/** The set lives as long as its last grant. */
const grantPlace = `
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])`;

export const semaphoreScripts: LockScripts = {
  acquire: `${withoutExpired}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return {0, '0', first[2] - now}
end
${nextToken}
${grantPlace}
return {1, token, 0}`,
  renew: `${withoutExpired}
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
${rememberToken}
${grantPlace}
return 1`,
  release: `
local freed = redis.call('ZREM', KEYS[1], ARGV[1])
if freed == 1 then ${publish} end
return freed`,
};
