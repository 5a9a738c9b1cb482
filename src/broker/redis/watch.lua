-- A node watches topics until it lets go or its time runs out.
-- KEYS: who watches, one a topic    ARGV: the node, for how long (ms; 0: not any more)
return answered(function()
  local lasting = tonumber(ARGV[2])
  local now = math.floor(clock() / 1000)
  for _, key in ipairs(KEYS) do
    if lasting == 0 then
      must('ZREM', key, ARGV[1])
    else
      must('ZREMRANGEBYSCORE', key, '-inf', text(now))
      must('ZADD', key, text(now + lasting), ARGV[1])
      if must('PTTL', key) < lasting then must('PEXPIRE', key, lasting) end
    end
  end
end)
