# Of what "go test -v" printed, the failed tests' lines alone: first all that they logged, then, last of all, what they hold against
# the program. A run that ended without saying which test failed (a panic, its time limit) is shown by its last lines.
#
# Tests that run side by side interleave: "=== NAME  TestX" and "=== CONT  TestX" say whose the lines below are.

/^=== (RUN|CONT|NAME|PAUSE) / { test = $3; next }
/^ *--- (PASS|FAIL|SKIP): / {
	if ($2 == "FAIL:") failed[++n] = $3
	next
}
{
	all[++lines] = $0
	by[lines] = test
	if (/^panic: /) panicked = 1
}

END {
	for (i = 1; i <= n; i++) is_failed[failed[i]] = 1
	if (!n || panicked) for (i = lines > 300 ? lines - 299 : 1; i <= lines; i++) print all[i]
	if (!n) exit
	for (i = 1; i <= n; i++) show(failed[i])
	print "--- what failed ---"
	for (i = 1; i <= lines; i++) {
		# A log line begins with file:line: and goes on, deeper, below it.
		if (all[i] ~ /^ +[A-Za-z0-9_]+\.go:[0-9]+: / || all[i] !~ /^ /) says = all[i] ~ /_test\.go:[0-9]+: /
		if (says && by[i] in is_failed) print by[i] ":" all[i]
	}
	for (i = 1; i <= n; i++) print "--- FAIL: " failed[i]
}

# show prints the last lines of one test.
function show(name,   i, mine, count) {
	for (i = 1; i <= lines; i++) if (by[i] == name) mine[++count] = all[i]
	if (!count) return
	print "--- all that " name " logged ---"
	for (i = count > 200 ? count - 199 : 1; i <= count; i++) print mine[i]
}
