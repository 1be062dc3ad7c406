//go:build interop

package interop

import (
	"testing"
)

// Wide-band voices: the station offers G.722 alone, and both makes of phone talk it with theirs.
func TestG722(t *testing.T) {
	t.Parallel()
	h := startHousehold(t, true)
	h.kitchenAnswers()
	h.b.Command("hangup", "")
	mustTalk(t, h.st.Await("call.ended", patience), "G722")

	h.hallAnswers()
	h.l.Say("terminate")
	mustTalk(t, h.st.Await("call.ended", patience), "G722")
	h.end()
}

// mustTalk checks the codec that a call's closing event names.
func mustTalk(t *testing.T, ended line, codec string) {
	t.Helper()
	rtp, _ := ended["rtp"].(map[string]any)
	if rtp["codec"] != codec {
		t.Errorf("the call talked %v, want %s", rtp["codec"], codec)
	}
}
