-- later_limits: as lua/parts/later_limits.lua, for histories of a dozen documents.

local LATER_FEW, LATER_MANY = 1, 3
