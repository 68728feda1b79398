/** The moves of a delivery as scripts: see delivery.ts. */
import { createScript } from '../redis/script.ts';

/** Longer than a turn may last, and its repeats (ms). */
export const undecidedKept = 20 * 60_000;
/** Who leaves a push to a worker has made a job of it by then (ms); else a worker does. */
const leaving = 5_000;

/** Whether some connection has the answer and has not given it back: each leaves its name. */
const isWritten = `
    local function isWritten()
      for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
        if string.sub(field, 1, 2) == 'w:' then return true end
      end
      return false
    end`;

/**
 * Each one is atomic, and says the same when it is asked again after its answer was lost (but for
 * `claim`: who has not heard of it gives it back). Where nothing is known of an owner, as Redis could not take it, whoever
 * asks is one.
 */
export const deliveryScripts = {
  take: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'answer', 'owner', 'lease', 'deliveries', 'untaken')
    local state, answer, owner, lease = was[1], was[2], was[3], tonumber(was[4] or '0')
    -- The bot has not taken it: this is the platform's next try.
    local isAgain = state == 'failed' and was[6]
    if isAgain then
      state, owner = false, false
      redis.call('HDEL', KEYS[1], 'state', 'owner', 'untaken', 'why')
    end
    if state == 'inline' and ARGV[6] ~= '' and owner == ARGV[6] then
      state, lease = 'direct', 0
      redis.call('HDEL', KEYS[1], 'w:' .. owner)
    end
    if state == 'inline' and not answer then return {'inline', owner or ''} end
    if state == 'inline' or state == 'offered' then
      if ARGV[4] == '' then return {'decided', state} end
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[4], '1')
      redis.call('ZREM', KEYS[2], ARGV[8])
      return {'answer', answer}
    end
    if state and not (state == 'direct' and owner) then return {'decided', state} end
    local deliveries = tonumber(was[5] or '0') + 1
    -- Without a state, what was there before is a job's: of a worker, or of the release before this one.
    local isHeld = not state and (owner or deliveries > 1)
    if state and owner ~= ARGV[1] and lease > tonumber(ARGV[3]) then isHeld = true end
    if isHeld then
      redis.call('HSET', KEYS[1], 'deliveries', deliveries, 'holder', ARGV[4], 'until', ARGV[5])
      redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
      return {'held', deliveries}
    end
    local calls, due = 1, ARGV[2]
    -- Whoever takes it from here counts its own call.
    if ARGV[2] == '0' then calls, due = redis.call('HGET', KEYS[1], 'calls') or '0', ARGV[3] + ${leaving}
    elseif owner or isAgain then calls = redis.call('HINCRBY', KEYS[1], 'calls', 1) end
    redis.call('HSET', KEYS[1], 'state', 'direct', 'owner', ARGV[1], 'lease', ARGV[2], 'calls', calls,
      'deliveries', deliveries, 'holder', ARGV[4], 'until', ARGV[5], 'push', ARGV[7])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    if ARGV[7] ~= '' then redis.call('ZADD', KEYS[2], due, ARGV[8]) end
    return {'owned', calls, deliveries, isAgain and '1' or ''}`),
  insure: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'owner')
    local isOurs = was[1] == 'direct' and was[2] == ARGV[1]
    local isKnown = redis.call('EXISTS', KEYS[1]) == 1
    if isKnown and not isOurs then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'direct', 'owner', ARGV[1], 'lease', ARGV[2], 'push', ARGV[3])
    if not isKnown then redis.call('HSET', KEYS[1], 'calls', ARGV[5], 'deliveries', 1) end
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    if ARGV[3] ~= '' then redis.call('ZADD', KEYS[2], ARGV[2], ARGV[4]) end
    return 1`),
  takeOver: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'answer', 'owner', 'lease', 'sendingAt', 'why', 'deliveries',
      'sentUpTo')
    local state, owner, lease = was[1], was[3] or '', tonumber(was[4] or '0')
    local isKnown = state or was[3] or was[7]
    if state == 'sending' then return {'sending', was[5] or '0', was[8] and was[2] or '', was[8] or ''} end
    if state == 'direct' and owner ~= '' then state = false end
    if state and state ~= 'offered' then return {'decided', state, was[6] or ''} end
    local isSame = owner ~= '' and string.sub(owner, 1, #ARGV[4]) == ARGV[4]
    if owner ~= '' and not isSame and lease > tonumber(ARGV[3]) then return {'held', was[4]} end
    redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'lease', ARGV[2])
    redis.call('HDEL', KEYS[1], 'push')
    if not state then redis.call('HDEL', KEYS[1], 'state') end
    local calls = redis.call('HINCRBY', KEYS[1], 'calls', 1)
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return {'owned', calls, was[2] or '', isKnown and '1' or ''}`),
  overdue: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'lease', 'push')
    local isOpen = was[1] == 'direct' or was[1] == 'offered' or was[1] == 'sending'
    if isOpen and tonumber(was[2] or '0') > tonumber(ARGV[1]) then return false end
    if isOpen and was[3] and was[3] ~= '' then return was[3] end
    redis.call('ZREM', KEYS[2], ARGV[2])
    return false`),
  carried: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'push', 'owner', 'lease')
    if was[1] ~= 'direct' or not was[2] or not was[3] or was[4] == '0' then return {} end
    return {was[2], was[3]}`),
  leave: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'owner', 'lease')
    if ARGV[1] ~= '' and was[2] ~= ARGV[1] then return 0 end
    if ARGV[1] == '' and tonumber(was[3] or '0') > tonumber(ARGV[2]) then return 0 end
    redis.call('ZREM', KEYS[2], ARGV[3])
    if was[1] == 'direct' then redis.call('HDEL', KEYS[1], 'state') end
    -- Nothing of it is under way, as its owner says; what is to be sent stands in the job.
    local isUnsent = was[1] == 'sending' and ARGV[1] ~= ''
    if isUnsent then redis.call('HDEL', KEYS[1], 'state', 'sendingAt', 'answer', 'sentUpTo') end
    redis.call('HDEL', KEYS[1], 'push')
    local isOpen = was[1] == 'direct' or was[1] == 'offered' or isUnsent or (not was[1] and was[2])
    if isOpen then redis.call('HSET', KEYS[1], 'owner', '', 'lease', '0') end
    return 1`),
  renew: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'owner', 'state')
    local isOpen = not was[2] or was[2] == 'direct' or was[2] == 'offered' or was[2] == 'sending'
    if was[1] ~= ARGV[1] or not isOpen then return 0 end
    redis.call('HSET', KEYS[1], 'lease', ARGV[2])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    redis.call('ZADD', KEYS[2], 'XX', ARGV[2], ARGV[3])
    return 1`),
  write: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'owner', 'state')
    local isOver = was[2] == 'sending' or was[2] == 'sent' or was[2] == 'failed' or was[2] == 'unknown'
    if (was[1] or ARGV[1]) ~= ARGV[1] or isOver then return 0 end
    local calls = redis.call('HGET', KEYS[1], 'calls') or '1'
    -- Anew, where no other connection can have it: a hash that has held a push stays big.
    if not was[2] or was[2] == 'direct' then redis.call('DEL', KEYS[1]) end
    redis.call('HSET', KEYS[1], 'state', 'inline', 'owner', ARGV[1], 'calls', calls, 'w:' .. ARGV[1], '1')
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('ZREM', KEYS[2], ARGV[3])
    return 1`),
  send: createScript(`${isWritten}
    local was = redis.call('HMGET', KEYS[1], 'owner', 'state', 'holder', 'until')
    local isOver = was[2] == 'sent' or was[2] == 'failed' or was[2] == 'unknown'
    if (was[1] or ARGV[1]) ~= ARGV[1] or isOver then return {'lost'} end
    local isHeld = ARGV[3] ~= '' and was[3] and was[3] ~= '' and tonumber(was[4] or '0') > tonumber(ARGV[3])
    -- Its own connection did not take it; the user may see it on another's.
    if was[2] == 'inline' then redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) end
    if (was[2] == 'inline' or was[2] == 'offered') and isWritten() then return {'written'} end
    if isHeld and string.sub(was[3], 1, #ARGV[4]) ~= ARGV[4] then return {'held', was[3]} end
    redis.call('HSET', KEYS[1], 'state', 'sending', 'sendingAt', ARGV[2], 'owner', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return {'may'}`),
  part: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'owner', 'state')
    local isOver = was[2] == 'sent' or was[2] == 'failed' or was[2] == 'unknown'
    if (was[1] or ARGV[1]) ~= ARGV[1] or isOver then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'sending', 'sendingAt', ARGV[2], 'owner', ARGV[1],
      'answer', ARGV[3], 'sentUpTo', ARGV[4])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return 1`),
  offer: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'owner', 'state')
    if (was[1] or ARGV[1]) ~= ARGV[1] or (was[2] and was[2] ~= 'direct' and was[2] ~= 'inline') then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'offered', 'answer', ARGV[2], 'owner', ARGV[1])
    -- For a repeat that has asked for it, or as its own connection did not take it.
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'holder', ARGV[3])
    else redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) end
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return 1`),
  claim: createScript(`
    if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return false end
    if redis.call('HGET', KEYS[1], 'state') == 'offered' then
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[1], '1')
      redis.call('HDEL', KEYS[1], 'push')
      redis.call('ZREM', KEYS[2], ARGV[2])
      return redis.call('HGET', KEYS[1], 'answer')
    end
    return false`),
  giveBack: createScript(`${isWritten}
    local was = redis.call('HMGET', KEYS[1], 'state', 'owner', 'answer')
    if was[1] == 'direct' and was[2] == ARGV[2] then return was[3] end
    if was[1] ~= 'inline' then return false end
    if redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) == 0 then return false end
    if isWritten() then return false end
    redis.call('HSET', KEYS[1], 'state', 'direct', 'owner', ARGV[2], 'lease', ARGV[3])
    redis.call('HDEL', KEYS[1], 'holder', 'until')
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return was[3]`),
  settle: createScript(`
    -- Of what is over only that is kept that a repeat has to know.
    local was = redis.call('HMGET', KEYS[1], 'owner', 'calls')
    if ARGV[6] ~= '' and (was[1] or ARGV[6]) ~= ARGV[6] then return 0 end
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'state', ARGV[1], 'owner', was[1] or ARGV[6], 'calls', was[2] or '1')
    if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'why', ARGV[3]) end
    if ARGV[5] ~= '0' then redis.call('HSET', KEYS[1], 'untaken', '1', 'calls', ARGV[5]) end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    redis.call('ZREM', KEYS[2], ARGV[4])
    return 1`),
  look: createScript(`
    local was = redis.call('HMGET', KEYS[1], 'state', 'owner')
    return {was[1] or '', was[2] or ''}`),
  reopen: createScript(`
    local state = redis.call('HGET', KEYS[1], 'state')
    local calls = redis.call('HGET', KEYS[1], 'calls') or '0'
    if state and state ~= 'sending' and state ~= 'sent' then redis.call('DEL', KEYS[1]) end
    return calls`),
};
