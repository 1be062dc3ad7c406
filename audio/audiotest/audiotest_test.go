package audiotest

import (
	"errors"
	"math"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/audio/rtp"
)

func TestNet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &Net{
			Drop:  func(p Packet) bool { return p.Data[0] == 'x' },
			Delay: func(p Packet) time.Duration { return time.Duration(p.Data[0]-'a') * time.Millisecond },
		}
		a, b := n.Listen("192.0.2.1:1"), n.Listen("192.0.2.2:2")
		for _, d := range []string{"c3", "a1", "x", "b2"} {
			a.WritePacket([]byte(d), b.LocalAddr())
		}
		a.WritePacket([]byte("a"), netip.MustParseAddrPort("192.0.2.9:9"))
		buf := make([]byte, 10)
		for i, want := range []string{"a1", "b2", "c3"} {
			k, from, at, err := b.ReadPacket(buf)
			if string(buf[:k]) != want || from != a.LocalAddr() || err != nil || at > rtp.Monotonic() {
				t.Errorf("packet %d: %q from %s, %v", i, buf[:k], from, err)
			}
			if k, _, _, _ := b.ReadPacket(buf); k != 0 {
				t.Errorf("%q came early", buf[:k])
			}
			time.Sleep(time.Millisecond)
		}
		a.Close()
		if err := a.WritePacket([]byte("a"), b.LocalAddr()); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%v", err)
		}
		n.Listen("192.0.2.1:1")
	})
}

func TestPipeAndFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := Pipe(8000, 80)
		da, err := a.Open(t.Context(), audio.FullDuplex)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Open(t.Context(), audio.Playback); err == nil {
			t.Error("opened twice")
		}
		db, _ := b.Open(t.Context(), audio.FullDuplex)
		tone, got := Sine(1000, 8000, 80, 10000), make([]int16, 80)
		start := time.Now()
		for range 10 {
			da.Exchange(tone, make([]int16, 80))
		}
		if d := time.Since(start); d != 100*time.Millisecond {
			t.Errorf("ten periods took %v", d)
		}
		db.Exchange(make([]int16, 80), got)
		if db, _ := SNR(tone, got, 0); db < 60 {
			t.Errorf("SNR %.0f dB", db)
		}
		a.Xrun(audio.Slip{Captured: 5})
		if s, err := da.Exchange(tone, got); s.Captured != 5 || err != nil {
			t.Errorf("%v, %v", s, err)
		}
		a.Break(errors.New("gone"))
		if _, err := da.Exchange(tone, got); err == nil {
			t.Error("a broken card plays")
		}
		a.Break(nil)
		time.AfterFunc(time.Millisecond, func() { da.Close() })
		if _, err := da.Exchange(tone, got); err == nil {
			t.Error("a closed card plays")
		}
		if a.Use() != 0 || b.Use() != audio.FullDuplex || len(a.Opens()) != 1 {
			t.Errorf("use %d and %d", a.Use(), b.Use())
		}
	})
}

func TestInstruments(t *testing.T) {
	s := Sine(1000, 8000, 8000, 32767)
	if l := Level(s); math.Abs(l+3.01) > 0.01 {
		t.Errorf("level %.2f", l)
	}
	if l := ToneLevel(s, 8000, 1000); math.Abs(l+3.01) > 0.01 {
		t.Errorf("tone %.2f", l)
	}
	if l := ToneLevel(s, 8000, 1500); l > -60 {
		t.Errorf("another tone %.2f", l)
	}
	if l := Level(make([]int16, 10)); l != -120 {
		t.Errorf("silence %.2f", l)
	}
	late := append(make([]int16, 37), s...)
	for i := range late {
		late[i] = late[i]/2 + int16(i%2*200-100)
	}
	db, lag := SNR(s[:4000], late, 60)
	if lag%8 != 37%8 || math.Abs(db-41.3) > 0.5 {
		t.Errorf("SNR %.1f dB at %d", db, lag)
	}
	var r Recorder
	r.Write(s)
	if len(r.Samples()) != 8000 {
		t.Error("recorder")
	}
	r.Reset()
	if len(r.Samples()) != 0 {
		t.Error("reset")
	}
}
