# shellcheck shell=bash
# Sourced by scripts/*: runs named stages, shows how long they take, and sums up.
#
#   stage NAME COMMAND...   runs COMMAND; its output is shown when it fails, or always with VERBOSE=1.
#                           Exit code 77 means "cannot run"; the last line it wrote is the reason.
#   script NAME COMMAND...  runs another script that has stages; they count as if they were this one's
#   lanes FUNCTION...       runs functions with stages of their own side by side; what a stage says stays together
#   summary                 prints all stages, then ends the script: 0, or 1 when a stage failed
#
# STAGES is the file of results, one "result<TAB>seconds<TAB>name<TAB>reason" a line. A script run by another one
# adds to the same file, leaves the sum to the other and ends with 3 when a stage of its own failed. With CI=true a
# stage that cannot run has failed.

if [[ -z ${STAGES:-} ]]; then
	STAGES=$(mktemp)
	stages_mine=1
	trap 'rm -f "$STAGES"' EXIT
else
	stages_mine=0
fi
export STAGES
stages_failed=0

stage() {
	local name=$1 log code=0 start reason='' result pid shown=0
	shift
	log=$(mktemp)
	start=$(date +%s.%N)
	if [[ ! ${LANES:-} ]]; then printf '%-34s ' "$name"; fi
	# In the background, for a function called before || would run on after a failed command.
	"$@" >"$log" 2>&1 &
	pid=$!
	while [[ ! ${LANES:-} ]] && kill -0 "$pid" 2>/dev/null; do
		# A dot every 10 s tells that a long stage is alive.
		if ((++shown % 50 == 0)); then printf '.'; fi
		sleep 0.2
	done
	wait "$pid" || code=$?
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
	if [[ $result == failed ]]; then stages_failed=1; fi
	{
		flock 9
		if [[ ${LANES:-} ]]; then printf '%-34s ' "$name"; fi
		printf '%s  %s s%s\n' "$result" "$seconds" "${reason:+  ($reason)}"
		if [[ ${VERBOSE:-} ]]; then
			sed 's/^/    /' "$log"
		elif [[ $result == failed ]]; then
			tail -n "${STAGE_TAIL:-120}" "$log" | sed 's/^/    /'
		fi
		printf '%s\t%s\t%s\t%s\n' "$result" "$seconds" "$name" "$reason" >>"$STAGES"
	} 9>>"$STAGES"
	rm -f "$log"
}

script() {
	local name=$1 code=0
	shift
	"$@" || code=$?
	case $code in
	0) ;;
	3) stages_failed=1 ;;
	*) stage "$name itself" false ;; # it ended before its stages could say why
	esac
}

lanes() {
	local lane pid pids=() code
	export LANES=1
	for lane in "$@"; do
		"$lane" &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		code=0
		wait "$pid" || code=$?
		if ((code)); then stage "a lane itself" false; fi
	done
	unset LANES
}

# cpu_minutes: what this shell and all that it waited for have used, user and system.
cpu_minutes() {
	local used
	used=$(mktemp)
	times >"$used"
	awk '{ for (i = 1; i <= NF; i++) { split($i, t, "[ms]"); n += t[1] + t[2] / 60 } }
		END { printf "%.1f CPU-minutes\n", n }' "$used"
	rm -f "$used"
}

summary() {
	if ((!stages_mine)); then exit $((stages_failed ? 3 : 0)); fi
	printf '\n'
	awk -F '\t' '{ printf "  %-8s %7s s  %s%s\n", $1, $2, $3, $4 == "" ? "" : "  (" $4 ")" }' "$STAGES"
	awk -F '\t' '$1 == "failed" { printf "%s%s", n++ ? ", " : "\nfailed: ", $3 }
		END { if (n) print "" }' "$STAGES"
	cpu_minutes
	awk -F '\t' '{ n[$1]++ } END {
		printf "%d passed, %d failed, %d skipped\n", n["passed"], n["failed"], n["skipped"]
		exit n["failed"] > 0
	}' "$STAGES"
	exit
}

# cannot REASON: what a stage's command calls when it cannot run.
cannot() {
	printf '%s\n' "$*"
	exit 77
}
