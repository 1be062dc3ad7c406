package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/device/event"
	"portero/sip"
	"portero/sip/digest"
	"portero/sip/registrar"
)

// TestSoftphoneIsGuided: who waits for a phone is told after 30 s what to set in it, each refusal once, and when
// the phone comes and goes.
func TestSoftphoneIsGuided(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var said []string
		var bindings []registrar.Binding
		locked := func(f func()) {
			mu.Lock()
			defer mu.Unlock()
			f()
		}
		p := &softphone{user: "softphone", password: "abcdefghij", server: netip.MustParseAddrPort("127.0.0.1:5060"),
			say: func(format string, args ...any) {
				locked(func() { said = append(said, fmt.Sprintf(format, args...)) })
			},
			bindings: func() (now []registrar.Binding) {
				locked(func() { now = bindings })
				return now
			}, told: map[string]time.Time{}}
		enter, events, refused := make(chan struct{}), make(chan event.Event), make(chan refusal, 16)
		presses := 0
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			p.keep(ctx, enter, events, refused, func() error { presses++; return nil })
		}()
		expect := func(wants ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if len(said) != len(wants) {
				t.Fatalf("said %q, want %q", said, wants)
			}
			for i, want := range wants {
				if !strings.Contains(said[i], want) {
					t.Errorf("said %q, want %q", said[i], want)
				}
			}
			said = nil
		}
		time.Sleep(29 * time.Second)
		expect()
		time.Sleep(2 * time.Second)
		expect("No phone has registered yet. In the phone's app set server 127.0.0.1:5060 (UDP), user softphone, also as the name " +
			"for authentication, and password abcdefghij. A phone on another machine does not reach that")
		enter <- struct{}{}
		expect("No phone is registered, so none rings.")

		// Through the log of the server, as that tells it.
		log := slog.New(refusals{slog.DiscardHandler, refused}).With("part", "sip")
		for range 3 {
			log.Warn("wrong credentials shown", "from", netip.MustParseAddrPort("192.168.1.20:40000"), "user", "soft")
			time.Sleep(time.Second)
		}
		log.Warn("something else", "from", netip.MustParseAddrPort("192.168.1.20:40000"))
		log.Info("bindings changed", "user", "softphone", "contacts", 1)
		expect(`A phone at 192.168.1.20 tries to log in as "soft": wrong credentials shown. It needs user softphone and password abcdefghij.`)

		here := []registrar.Binding{{User: "door", Source: netip.MustParseAddrPort("127.0.0.1:5062")},
			{User: "softphone", Source: netip.MustParseAddrPort("192.168.1.20:40000"), UserAgent: "Linphone/5"}}
		locked(func() { bindings = here })
		time.Sleep(2 * time.Second)
		expect("Your phone is here: 192.168.1.20:40000, Linphone/5. Press Enter: it rings.")
		enter <- struct{}{}
		events <- event.Event{Kind: event.CallRinging, Target: "softphone"}
		events <- event.Event{Kind: event.CallRefused, Target: "kitchen", Reason: "Temporarily Unavailable"}
		events <- event.Event{Kind: event.CardOpened}
		expect("Your phone rings.")
		locked(func() { bindings = here[:1] })
		time.Sleep(2 * time.Second)
		expect("Your phone is gone: 192.168.1.20:40000, Linphone/5")
		time.Sleep(time.Hour)
		expect()
		stop()
		<-done
		if presses != 2 {
			t.Errorf("%d presses", presses)
		}
	})
}

// TestDemoKeep registers a phone of the user's, first with a wrong password, and has it rung.
func TestDemoKeep(t *testing.T) {
	t.Parallel()
	d := &demo{keep: true, dir: t.TempDir(), began: time.Now()}
	stdout, out := io.Pipe()
	in, stdin := io.Pipe()
	d.out = out
	if err := d.furnish(d.logger()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := d.station.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	done.Go(func() {
		if err := d.phone.run(ctx); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	done.Go(func() { d.stay(ctx, in) })
	defer done.Wait()
	defer stdin.Close()
	defer stdout.Close()
	defer stop()
	lines := bufio.NewScanner(stdout)
	var seen []string
	find := func(pattern string) []string {
		t.Helper()
		for lines.Scan() {
			seen = append(seen, lines.Text())
			if m := regexp.MustCompile(pattern).FindStringSubmatch(lines.Text()); m != nil {
				return m
			}
		}
		t.Fatalf("no %q in\n%s", pattern, strings.Join(seen, "\n"))
		return nil
	}
	server, err := net.ResolveUDPAddr("udp", find(`server    (\S+)`)[1])
	if err != nil {
		t.Fatal(err)
	}
	password := find(`password  (\S+)`)[1]
	phone, err := net.DialUDP("udp", nil, server)
	if err != nil {
		t.Fatal(err)
	}
	defer phone.Close()
	if err := phone.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	n := 0
	register := func(with string) {
		t.Helper()
		login := digest.Client{User: "softphone", Password: with}
		for auth := ""; ; {
			n++
			fmt.Fprintf(phone, "REGISTER sip:portero.local SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%d\r\nMax-Forwards: 70\r\n"+
				"From: <sip:softphone@portero.local>;tag=p\r\nTo: <sip:softphone@portero.local>\r\nCall-ID: p\r\nCSeq: %d REGISTER\r\n"+
				"Contact: <sip:softphone@%s>\r\nUser-Agent: Test phone\r\n%sContent-Length: 0\r\n\r\n",
				phone.LocalAddr(), n, n, phone.LocalAddr(), auth)
			buf := make([]byte, 4096)
			size, err := phone.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			_, res, err := sip.Parse(slices.Clone(buf[:size]))
			if err != nil || res == nil {
				t.Fatalf("%v\n%s", err, buf[:size])
			}
			if res.Status != 401 || auth != "" {
				return
			}
			if err := login.Challenged(res.Values("WWW-Authenticate"), false); err != nil {
				t.Fatal(err)
			}
			auth = "Authorization: " + login.Authorize("REGISTER", "sip:portero.local") + "\r\n"
		}
	}
	register("wrong-password")
	find(`A phone at 127\.0\.0\.1 tries to log in as "softphone": .*It needs user softphone and password ` + password)
	register(password)
	find(`Your phone is here: ` + phone.LocalAddr().String() + `, Test phone\. Press Enter`)
	if _, err := fmt.Fprintln(stdin); err != nil {
		t.Fatal(err)
	}
	find("The bell is pressed")
	for buf := make([]byte, 4096); ; {
		size, err := phone.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		req, _, err := sip.Parse(slices.Clone(buf[:size]))
		if err != nil || req == nil || req.Method != sip.INVITE {
			continue
		}
		if _, err := phone.Write(sip.NewResponse(req, 603, "").Append(nil)); err != nil {
			t.Fatal(err)
		}
		break
	}
	find("Your phone does not take the call: Decline")
}
