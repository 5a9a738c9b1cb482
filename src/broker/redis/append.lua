-- Appends an entry under the next id, and remembers its call. All that can fail is tried before the first write.
-- KEYS: meta, the stream, calls, their order, who watches (if that is asked)
-- ARGV: born, body, how many ids, floor, most entries, for how long they are kept (us; 0: whatever their age),
--       the call's name or '', its answer, most calls, for how long they are remembered (us)
return answered(function()
  local meta, stream, calls, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local ids, most, kept = tonumber(ARGV[3]), ARGV[5], tonumber(ARGV[6])
  local name, most_calls, remembered = ARGV[7], tonumber(ARGV[9]), tonumber(ARGV[10])
  local state = must('HMGET', meta, 'born', 'last')
  if state[1] ~= ARGV[1] then return { 'reborn' } end
  local now = clock()
  local limit = now + HORIZON
  local function is_forgotten(value)
    return number(string.sub(value, 1, 16), limit) <= now - remembered
  end
  if name ~= '' then
    local answer = must('HGET', calls, name)
    if answer and not is_forgotten(answer) then return { 'repeated', string.sub(answer, 17) } end
    must('LLEN', order)
  end
  local watching = 0
  if KEYS[5] then watching = #live(KEYS[5], now) end

  local id = math.max(now, number(state[2], limit) + 1, number(ARGV[4], limit) + 1)
  local function add()
    return redis.pcall('XADD', stream, 'MAXLEN', '~', most, text(id) .. '-0', 'b', ARGV[2])
  end
  local added = add()
  if type(added) == 'table' and added.err then
    -- Somebody else wrote ahead of us, or it is another error.
    local ahead = top(stream)
    if ahead < id then error(added) end
    if ahead <= limit then
      id = ahead + 1000
    else
      must('DEL', stream)
      if kept > 0 then
        must('HDEL', meta, 'born')
        return { 'reborn' }
      end
    end
    added = add()
    if type(added) == 'table' and added.err then error(added) end
  end
  if kept > 0 then must('XTRIM', stream, 'MINID', '~', text(now - kept)) end
  must('HSET', meta, 'last', text(id + ids - 1))

  if name ~= '' then
    local stamp = string.format('%016.0f', now)
    must('HSET', calls, name, stamp .. ARGV[8])
    must('LPUSH', order, stamp .. name)
    for _ = 1, 4 do
      local oldest = must('LINDEX', order, -1)
      if must('LLEN', order) <= most_calls and not is_forgotten(oldest) then break end
      must('RPOP', order)
      local gone = string.sub(oldest, 17)
      local answer = must('HGET', calls, gone)
      -- A name that was forgotten and came again stands in the list twice.
      if answer and string.sub(answer, 1, 16) == string.sub(oldest, 1, 16) then must('HDEL', calls, gone) end
    end
  end
  return { 'at', text(id), watching }
end)
