import { createScript } from '../redis/script.ts';

const minute = 60_000;
/** As long as a turn may last, and its repeats. */
const undecidedKept = 20 * minute;
const inlineKept = minute;
export const settledKept = 10 * minute;
export const failedKept = 24 * 60 * minute;

/** The moves of a delivery, each one atomic: see delivery.ts. */
export const deliveryScripts = {
  hold: createScript(`
    local state = redis.call('HGET', KEYS[1], 'state')
    if state == 'inline' then
      redis.call('HSET', KEYS[1], 'w:' .. ARGV[1], '1')
      return {'answer', redis.call('HGET', KEYS[1], 'answer')}
    end
    if state == 'offered' then
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[1], '1')
      redis.call('PEXPIRE', KEYS[1], ${inlineKept})
      return {'answer', redis.call('HGET', KEYS[1], 'answer')}
    end
    if state then return {'decided', ''} end
    redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', ARGV[2])
    local deliveries = redis.call('HINCRBY', KEYS[1], 'deliveries', 1)
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return {'held', tostring(deliveries)}`),
  claim: createScript(`
    if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return false end
    if redis.call('HGET', KEYS[1], 'state') == 'offered' then
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[1], '1')
      redis.call('PEXPIRE', KEYS[1], ${inlineKept})
      return redis.call('HGET', KEYS[1], 'answer')
    end
    if ARGV[2] == 'leave' then redis.call('HDEL', KEYS[1], 'holder', 'until') end
    return false`),
  giveBack: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'inline' then return 0 end
    if redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) == 0 then return 0 end
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.sub(field, 1, 2) == 'w:' then return 0 end
    end
    redis.call('HSET', KEYS[1], 'state', 'offered')
    redis.call('HDEL', KEYS[1], 'holder', 'until')
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return 1`),
  forfeit: createScript(`
    if redis.call('HGET', KEYS[1], 'state') then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'direct')
    redis.call('PEXPIRE', KEYS[1], ${settledKept})
    return 1`),
  resume: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'direct' then return 0 end
    redis.call('DEL', KEYS[1])
    return 1`),
  offer: createScript(`
    if redis.call('HGET', KEYS[1], 'state') then return '' end
    redis.call('HSET', KEYS[1], 'state', 'offered', 'answer', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    if tonumber(redis.call('HGET', KEYS[1], 'until') or '0') <= tonumber(ARGV[2]) then return '' end
    return redis.call('HGET', KEYS[1], 'holder')`),
  take: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'offered' then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'sending', 'sendingAt', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ${failedKept})
    return 1`),
  settle: createScript(`
    redis.call('HSET', KEYS[1], 'state', ARGV[1])
    if ARGV[3] == '1' then redis.call('HDEL', KEYS[1], 'answer') end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1`),
  reopen: createScript(`
    local state = redis.call('HGET', KEYS[1], 'state')
    local kept = redis.call('HEXISTS', KEYS[1], 'answer') == 1
    if (state == 'failed' or state == 'unknown') and kept then redis.call('HSET', KEYS[1], 'state', 'offered')
    elseif state == 'failed' or state == 'inline' then redis.call('DEL', KEYS[1]) end
    return 1`),
};
