package device

import (
	"bufio"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"portero/audio"
	"portero/device/event"
	"portero/sip/ua"
)

// TestTable holds the station's table against the golden file, which is written by hand.
func TestTable(t *testing.T) {
	f, err := os.Open("testdata/station.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	spaces := regexp.MustCompile(`\s+`)
	var want []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && line[0] != '#' {
			want = append(want, spaces.ReplaceAllString(line, " "))
		}
	}
	for i, r := range stationTable.Rows {
		got := spaces.ReplaceAllString(r.String(), " ")
		if i >= len(want) || got != want[i] {
			t.Fatalf("row %d is %q, the file says %q", i, got, append(want, "nothing")[min(i, len(want))])
		}
	}
	if len(want) != len(stationTable.Rows) {
		t.Fatalf("the file has %d rows, the table %d", len(want), len(stationTable.Rows))
	}
}

// ignored are the pairs without a row, by the trigger, with the reason. A further one needs a reason too.
var ignored = map[trigger]struct {
	states string
	why    string
}{
	onAbsent:   {"Idle Ringing in Talking Ending", "the calls of a ringing visit alone wait for anybody"},
	onAcked:    {"Idle Calling Ringing in Ending", "an ACK belongs to a call that was answered"},
	onAnswer:   {"Idle Calling Talking Ending", "the command is refused where nobody rings at the door"},
	onAnswered: {"Idle Ringing in Talking Ending", "calls of a visit that is over tell nothing; a second answer is ended by the call itself"},
	onBye:      {"Idle Calling Ending", "before an answer a far end fails; afterwards there is no visit"},
	onDigit:    {"Idle Calling Ringing in Ending", "digits count in a talk alone"},
	onFailed:   {"Idle Ringing in Talking Ending", "the calls of a ringing visit alone can fail"},
	onHangUp:   {"Idle Ending", "there is nothing to hang up"},
	onHunt:     {"Idle Ringing in Talking Ending", "its timer is stopped with the ringing"},
	onLimit:    {"Idle Talking Ending", "its timer is stopped with the ringing"},
	onOpened:   {"Idle Calling Ringing in Ending", "the tone is for the visitor of a talk; the door opens whatever the state"},
	onProgress: {"Idle Ringing in Talking Ending", "only a placed call makes progress"},
	onRenewed:  {"Idle Calling Ringing in Ending", "only an answered call is renewed"},
	onTalk:     {"Idle Calling Ringing in Ending", "its timer is stopped with the talk"},
	onUnacked:  {"Idle Calling Ringing in Ending", "its timer is stopped with the talk"},
	onToneOver: {"Idle Calling Ringing in Talking", "its timer is stopped with the tone"},
}

func TestIgnored(t *testing.T) {
	listed := map[string]bool{}
	for on, i := range ignored {
		if i.why == "" {
			t.Errorf("%s is ignored without a reason", on)
		}
		for _, s := range stationTable.States() {
			if strings.Contains(i.states, string(s)) {
				listed[string(s)+" "+string(on)] = true
			}
		}
	}
	for _, pair := range stationTable.Unhandled() {
		if !listed[pair] {
			t.Errorf("%q has no row and no reason", pair)
		}
		delete(listed, pair)
	}
	for pair := range listed {
		t.Errorf("%q is listed as ignored but has a row", pair)
	}
}

// TestRowsThatOthersLeave drives the rows that no story in this package comes by.
func TestRowsThatOthersLeave(t *testing.T) {
	hangUp := func(t *testing.T, d *door) {
		t.Helper()
		d.do(HangUp{})
		d.want(event.CallEnded)
	}
	t.Run("calling", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", backDoor+"when_busy = \"replace\"\n"+allowKitchen)
			kitchen, attic := r.phone("10.0.0.2:5060"), r.phone("10.0.0.4:5060")
			d.press("front")
			kitchen.want(ua.Offered)
			kitchen.dial("sip:door@10.0.0.1:5062") // while the door calls
			if ev := kitchen.want(ua.Ended); ev.Status != 486 {
				t.Errorf("%+v", ev.CallEvent)
			}
			d.press("back")
			if ev := kitchen.want(ua.Ended); ev.Status != 487 {
				t.Errorf("%+v", ev.CallEvent)
			}
			attic.want(ua.Offered)
			time.Sleep(time.Second)
			d.press("front") // its when_busy ignores
			d.want(event.BellIgnored)
			hangUp(t, d)
			kitchen.dial("sip:door@10.0.0.1:5062") // while the busy tone sounds
			if ev := kitchen.want(ua.Progress); ev.Status != 180 {
				t.Errorf("%+v", ev.CallEvent)
			}
			attic.dial("sip:door@10.0.0.1:5062") // not on the list
			if ev := attic.want(ua.Ended); ev.Status != 487 {
				t.Errorf("%+v", ev.CallEvent)
			}
			if ev := attic.want(ua.Ended); ev.Status != 403 {
				t.Errorf("%+v", ev.CallEvent)
			}
			kitchen.dial("sip:door@10.0.0.1:5062") // a second one while the first rings at the door
			if ev := kitchen.want(ua.Ended); ev.Status != 486 {
				t.Errorf("%+v", ev.CallEvent)
			}
			hangUp(t, d)
			if ev := kitchen.want(ua.Ended); ev.Status != 603 {
				t.Errorf("%+v", ev.CallEvent)
			}
		})
	})
}

// TestOfferInThe200 takes a caller that leaves the offer to the station (RFC 3261 §13.2.1) and answers it in
// the ACK.
func TestOfferInThe200(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		d := r.door("10.0.0.1:5062", `"sip:kitchen@10.0.0.2"`, "", strings.ReplaceAll(allowKitchen, `"10.0.0.2"`, `"10.0.0.9"`)+"auto_answer = true\n")
		p := r.sip.NewPeer(t, "10.0.0.9:5060")
		message := func(method string, seq int, to, body string) []byte {
			kind := ""
			if body != "" {
				kind = "Content-Type: application/sdp\r\n"
			}
			return fmt.Appendf(nil, "%s sip:door@10.0.0.1:5062 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
				"From: <sip:kitchen@10.0.0.2>;tag=p\r\nTo: <sip:door@10.0.0.1>%s\r\nCall-ID: late\r\nCSeq: %d %s\r\nContact: <sip:kitchen@10.0.0.9>\r\n%sContent-Length: %d\r\n\r\n%s",
				method, method, seq, to, seq, method, kind, len(body), body)
		}
		door := netip.MustParseAddrPort("10.0.0.1:5062")
		p.Send(door, message("INVITE", 1, "", ""))
		ok := p.Response(200)
		if !strings.Contains(string(ok.Body), "m=audio") {
			t.Fatalf("the 200 brings no offer: %q", ok.Body)
		}
		if use := d.card.Use(); use == audio.FullDuplex {
			t.Error("the microphone is open before anybody said where its sound goes")
		}
		tag := ";tag=" + ok.To.Tag()
		p.Send(door, message("ACK", 1, tag, "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"))
		time.Sleep(3 * time.Second) // after the signal
		if use := d.card.Use(); use != audio.FullDuplex {
			t.Errorf("card %v in the call", use)
		}
		p.Send(door, message("BYE", 2, tag, ""))
		p.Response(200)
		if ev := d.want(event.CallEnded); ev.RTP == nil || ev.RTP.Sent < 40 {
			t.Errorf("%+v", ev.RTP)
		}
	})
}

// TestMain sees to it that the stories of this package drive every row of the table, when all of them are
// run.
func TestMain(m *testing.M) {
	var mu sync.Mutex
	driven := map[int]bool{}
	for i := range stationTable.Rows {
		action := stationTable.Rows[i].Action
		stationTable.Rows[i].Action = func(s *Station) {
			mu.Lock()
			driven[i] = true
			mu.Unlock()
			if action != nil {
				action(s)
			}
		}
	}
	code := m.Run()
	if code == 0 && !testing.Short() && flag.Lookup("test.run").Value.String() == "" {
		for i, r := range stationTable.Rows {
			if !driven[i] {
				fmt.Printf("no test drives the row %q\n", r)
				code = 1
			}
		}
	}
	os.Exit(code)
}
