-- Raises a register that never falls.    KEYS: meta    ARGV: the register, its value
return answered(function()
  local held = number(must('HGET', KEYS[1], ARGV[1]), 9007199254740991)
  local value = tonumber(ARGV[2])
  if value > held then
    must('HSET', KEYS[1], ARGV[1], text(value))
    held = value
  end
  return text(held)
end)
