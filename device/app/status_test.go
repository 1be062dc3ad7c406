package app

import (
	"testing"
	"testing/synctest"

	"portero/device/config"
	"portero/device/event"
	"portero/device/status"
)

// TestStatus follows a program through a refused file, a reload and its end.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mustStart()
		ask := func() *status.Document {
			t.Helper()
			d, err := s.program.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		s.rings("front")
		s.reload("GPIO17", "GPIO17x")
		s.rejected("GPIO17x")
		d := ask()
		if !d.Ready || d.Refused == "" || d.StandIn != nil || d.File != s.file || len(d.Bells) != 1 || d.Bells[0].Targets[0] != "sip:kitchen@10.0.0.9" {
			t.Errorf("after a refused file: %+v", d)
		}
		s.reload("GPIO17x", "GPIO22")
		s.want(event.ConfigReloaded)
		s.want(event.StationReady)
		cfg, err := config.Load(s.file)
		if err != nil {
			t.Fatal(err)
		}
		if now := ask(); now.Refused != "" || now.Digest == d.Digest || now.Digest != cfg.Digest() || now.LastVisit == nil || now.LastVisit.Bell != "front" {
			t.Errorf("after a reload: %+v", now)
		}

		s.end()
		if d := ask(); d.Starting == "" {
			t.Errorf("it has ended: %+v", d)
		}
	})
}
