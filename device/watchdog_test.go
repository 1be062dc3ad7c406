package device

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestWatchdogSeesBothLoops: it is fed while both live, and not when the SIP stack hangs, whose bell would
// ring nobody.
func TestWatchdogSeesBothLoops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, fed := newRig(t), 0
		r.alive = func() { fed++ } // on the station's loop
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", "")
		time.Sleep(time.Minute)
		synctest.Wait()
		if fed < 59 {
			t.Errorf("fed %d times in a minute", fed)
		}
		hang := make(chan struct{})
		d.phone.Agent.Stack().Post(func() { <-hang })
		synctest.Wait()
		before := fed
		time.Sleep(time.Minute)
		synctest.Wait()
		if fed != before {
			t.Errorf("the stack hangs, and the watchdog was fed %d times", fed-before)
		}
		close(hang)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if fed < before+9 {
			t.Errorf("fed %d times after the stack went on", fed-before)
		}
	})
}
