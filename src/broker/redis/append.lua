-- Appends entries one behind the other, each under the next id, and remembers their calls: of a call that is remembered
-- nothing is appended. All that can fail is tried before the first write.
-- KEYS: meta, the stream, calls, their order, who watches (if that is asked)
-- ARGV: born, floor, most entries, for how long they are kept (us; 0: whatever their age), most calls, for how long they are
--       remembered (us); then of each entry: its body, how many ids, its call's name or '', its answer
return answered(function()
  local meta, stream, calls, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
  local most, kept = ARGV[3], tonumber(ARGV[4])
  local most_calls, remembered = tonumber(ARGV[5]), tonumber(ARGV[6])
  local state = must('HMGET', meta, 'born', 'last')
  if state[1] ~= ARGV[1] then return { 'reborn' } end
  -- It was born with the log: somebody has taken it away, with what was in it.
  if kept > 0 and must('EXISTS', stream) == 0 then
    must('HDEL', meta, 'born')
    return { 'reborn' }
  end
  local now = clock()
  local limit = now + HORIZON
  local function is_forgotten(value)
    return number(string.sub(value, 1, 16), limit) <= now - remembered
  end
  -- Answers by names.
  local known = {}
  for at = 7, #ARGV, 4 do
    local name = ARGV[at + 2]
    if name ~= '' then
      local answer = must('HGET', calls, name)
      if answer and not is_forgotten(answer) then known[name] = string.sub(answer, 17) else must('LLEN', order) end
    end
  end
  local watching = 0
  if KEYS[5] then watching = #live(KEYS[5], now) end

  local next = math.max(now, number(state[2], limit) + 1, number(ARGV[2], limit) + 1)
  local before, told = next, { 'appended', watching }
  for at = 7, #ARGV, 4 do
    local body, name, answer = ARGV[at], ARGV[at + 2], ARGV[at + 3]
    if known[name] then
      told[#told + 1], told[#told + 2] = 'repeated', known[name]
    else
      local added = redis.pcall('XADD', stream, 'MAXLEN', '~', most, text(next) .. '-0', 'b', body)
      if type(added) == 'table' and added.err then
        -- Somebody else wrote ahead of us, before the first of these, or it is another error.
        local ahead = top(stream)
        if ahead < next then error(added) end
        if ahead <= limit then
          next = ahead + 1000
        else
          must('DEL', stream)
          if kept > 0 then
            must('HDEL', meta, 'born')
            return { 'reborn' }
          end
        end
        must('XADD', stream, 'MAXLEN', '~', most, text(next) .. '-0', 'b', body)
      end
      told[#told + 1], told[#told + 2] = 'at', text(next)
      next = next + tonumber(ARGV[at + 1])
      if name ~= '' then
        known[name] = answer
        local stamp = string.format('%016.0f', now)
        must('HSET', calls, name, stamp .. answer)
        must('LPUSH', order, stamp .. name)
        for _ = 1, 4 do
          local oldest = must('LINDEX', order, -1)
          if must('LLEN', order) <= most_calls and not is_forgotten(oldest) then break end
          must('RPOP', order)
          local gone = string.sub(oldest, 17)
          local held = must('HGET', calls, gone)
          -- A name that was forgotten and came again stands in the list twice.
          if held and string.sub(held, 1, 16) == string.sub(oldest, 1, 16) then must('HDEL', calls, gone) end
        end
      end
    end
  end
  if next > before then
    if kept > 0 then must('XTRIM', stream, 'MINID', '~', text(now - kept)) end
    must('HSET', meta, 'last', text(next - 1))
  end
  return told
end)
