import { createScript } from '../redis/script.ts';
import { blocksField, othersBlocks } from './blocks.ts';

/** A WhatsApp message opens a day; nothing that keeptyping does looks further back. */
export const lastKept = 24 * 60 * 60_000;

/** Saves a state, and with it whether somebody waits in that conversation. */
export const saveIfUnchanged = createScript(`${othersBlocks}
local now = redis.call('GET', KEYS[1])
-- Sent again after its answer was lost: numbers in a state make it unique.
local saved = now == ARGV[2]
if not saved and (now or '') ~= ARGV[1] then return 0 end
if ARGV[5] == '1' or ARGV[6] ~= '' then
  local blocks = redis.call('HGET', KEYS[2], '${blocksField}')
  local standing = others(blocks, ARGV[4], ARGV[6])
  if ARGV[5] == '1' and not saved and #standing > 0 then return 0 end
  if ARGV[6] ~= '' and blocks then
    if #standing == 0 then redis.call('HDEL', KEYS[2], '${blocksField}')
    else redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' ')) end
  end
end
if not saved then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], ARGV[8], ARGV[7])
else redis.call('ZREM', KEYS[3], ARGV[7]) end
return 1
`);

/** The last eight keys are enough to know a repeat by: the platform gives up within seconds or the user writes slower. */
export const recordLast = createScript(`
local seen = redis.call('HGET', KEYS[1], 'seen') or ''
if string.find(' ' .. seen .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then return 0 end
local kept = ARGV[1]
local n = 1
for each in string.gmatch(seen, '%S+') do
  if n < 8 then kept = kept .. ' ' .. each end
  n = n + 1
end
redis.call('HSET', KEYS[1], 'seen', kept)
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
if tonumber(ARGV[3]) >= at then
  redis.call('HSET', KEYS[1], 'at', ARGV[3])
  if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'messageId', ARGV[2]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`);
