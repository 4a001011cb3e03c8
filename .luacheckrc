std = "lua54"
max_line_length = 120
exclude_files = { "build*", "subprojects" }

files["tests/spec"] = { std = "+busted" }
files["lua/meta"] = { ignore = { "211", "212", "241" } } -- stubs: names and arguments for the editor, never used
files["scripts/guide"] = { ignore = { "211" } } -- guards are held, not read
files["tests/stress"] = { unused = false, max_line_length = false, ignore = { "512" } } -- guards are held, not read
