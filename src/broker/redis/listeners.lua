-- How many listen to channels on all nodes but one.
-- KEYS: nodes    ARGV: what the keys of counts begin with, the one node, then channels
return answered(function()
  local channels, sums = {}, {}
  for at = 3, #ARGV do
    channels[at - 2], sums[at - 2] = ARGV[at], 0
  end
  for _, node in ipairs(live(KEYS[1], clock())) do
    if node ~= ARGV[2] then
      local counts = must('HMGET', ARGV[1] .. node, unpack(channels))
      for at = 1, #channels do
        sums[at] = sums[at] + number(counts[at], 4294967296)
      end
    end
  end
  return sums
end)
