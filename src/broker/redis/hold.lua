-- Takes, keeps or gives up a duty.    KEYS: the duty    ARGV: the node, for how long (ms; 0: gives it up)
return answered(function()
  local holder = must('GET', KEYS[1])
  -- Ours always run out: what does not is somebody else's.
  if holder and holder ~= ARGV[1] and must('PTTL', KEYS[1]) > 0 then return 0 end
  if ARGV[2] == '0' then
    must('DEL', KEYS[1])
  else
    must('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return 1
end)
