-- later_limits: how many items wait in the list before those of the lane for later do: when a native consumer lives, and when none.

local LATER_FEW, LATER_MANY = 10, 100
