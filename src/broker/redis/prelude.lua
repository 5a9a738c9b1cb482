-- Before every script of ours: numbers, the clock, and errors given as Redis has them.

-- Ten years: an id further ahead of the clock is nobody's.
local HORIZON = 315360000000000

local function must(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then error(answer) end
  return answer
end

-- The clock, in microseconds.
local function clock()
  local time = must('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

local function text(number)
  return string.format('%.0f', number)
end

-- A whole number from 0 to `most`, or 0 for whatever else somebody wrote there.
local function number(value, most)
  local read = tonumber(value)
  if read and read >= 0 and read <= most and read == math.floor(read) then return read end
  return 0
end

-- The greatest id that a stream ever had, also of entries that are gone.
local function top(stream)
  if must('EXISTS', stream) == 0 then return 0 end
  local said = must('XINFO', 'STREAM', stream)
  for at = 1, #said, 2 do
    if said[at] == 'last-generated-id' then return tonumber(string.match(said[at + 1], '^%d+')) end
  end
  return 0
end

-- The members of a set whose time (ms) is not over, but not of those who would stay for longer than ours ever do.
local function live(set, now)
  local ms = math.floor(now / 1000)
  return must('ZRANGEBYSCORE', set, text(ms + 1), text(ms + 86400000))
end

-- Redis 7 gives the text of an error where Redis 6 gives the error itself.
local function answered(step)
  local ok, answer = pcall(step)
  if ok or type(answer) == 'table' then return answer end
  return { err = answer }
end

