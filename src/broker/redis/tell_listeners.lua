-- How many listen to channels on a node.
-- KEYS: nodes, the node's counts    ARGV: the node, for how long (ms), then a channel and its count, and so on
return answered(function()
  local lasting = tonumber(ARGV[2])
  local now = math.floor(clock() / 1000)
  must('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now))
  must('ZADD', KEYS[1], text(now + lasting), ARGV[1])
  for at = 3, #ARGV, 2 do
    if ARGV[at + 1] == '0' then
      must('HDEL', KEYS[2], ARGV[at])
    else
      must('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
    end
  end
  must('PEXPIRE', KEYS[2], lasting)
end)
