# shellcheck shell=bash
# Sourced by scripts/*: runs named stages, shows how long they take, and sums up.
#
#   stage NAME COMMAND...   runs COMMAND; its output is shown when it fails, or always with VERBOSE=1.
#                           Exit code 77 means "cannot run"; the last line it wrote is the reason.
#   summary                 prints all stages, then ends the script: 0, or 1 when a stage failed
#   summary_counts          prints "N passed, N failed, N skipped"
#
# STAGES is the file of results, one "result<TAB>seconds<TAB>name<TAB>reason" a line. A script run by another one adds to
# the same file and leaves the sum to the other. With CI=true a stage that cannot run has failed.

if [[ -z ${STAGES:-} ]]; then
	STAGES=$(mktemp)
	stages_mine=1
	trap 'rm -f "$STAGES"' EXIT
else
	stages_mine=0
fi
export STAGES
stages_first=$(wc -l <"$STAGES")

stage() {
	local name=$1 log code=0 start reason='' result pid shown=0
	shift
	log=$(mktemp)
	start=$(date +%s.%N)
	printf '%-34s ' "$name"
	if [[ ${VERBOSE:-} ]]; then
		printf '\n'
		# In the background, for a function called before || would run on after a failed command.
		"$@" > >(tee "$log") 2>&1 &
		wait $! || code=$?
	else
		"$@" >"$log" 2>&1 &
		pid=$!
		while kill -0 "$pid" 2>/dev/null; do
			# A dot every 10 s tells that a long stage is alive.
			if ((++shown % 50 == 0)); then printf '.'; fi
			sleep 0.2
		done
		wait "$pid" || code=$?
	fi
	local seconds
	seconds=$(awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "%.1f", b - a }')
	case $code in
	0) result=passed ;;
	77)
		reason=$(tail -n 1 "$log")
		result=skipped
		if [[ ${CI:-} == true ]]; then
			result=failed
			reason="with CI=true nothing may be skipped: $reason"
		fi
		;;
	*)
		result=failed
		reason="exit code $code"
		;;
	esac
	printf '%s  %s s%s\n' "$result" "$seconds" "${reason:+  ($reason)}"
	if [[ $result == failed && -z ${VERBOSE:-} ]]; then
		tail -n "${STAGE_TAIL:-120}" "$log" | sed 's/^/    /'
	fi
	printf '%s\t%s\t%s\t%s\n' "$result" "$seconds" "$name" "$reason" >>"$STAGES"
	rm -f "$log"
}

summary_counts() {
	awk -F '\t' '{ n[$1]++ } END { printf "%d passed, %d failed, %d skipped\n", n["passed"], n["failed"], n["skipped"] }' "$STAGES"
}

summary() {
	local failed
	failed=$(tail -n +$((stages_first + 1)) "$STAGES" | awk -F '\t' '$1 == "failed" { printf "%s%s", sep, $3; sep = ", " }')
	if ((stages_mine)); then
		printf '\n'
		awk -F '\t' '{ printf "  %-8s %7s s  %s%s\n", $1, $2, $3, $4 == "" ? "" : "  (" $4 ")" }' "$STAGES"
		if [[ -n $failed ]]; then printf '\nfailed: %s\n' "$failed"; fi
		summary_counts
	fi
	[[ -z $failed ]]
	exit
}

# cannot REASON: what a stage's command calls when it cannot run.
cannot() {
	printf '%s\n' "$*"
	exit 77
}
