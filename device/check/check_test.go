package check

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"portero/device"
	"portero/device/app"
	"portero/device/config"
	"portero/device/status"
	"portero/sip"
	"portero/sip/registrar"
	"portero/sip/siptest"
	"portero/sip/transaction"
	"portero/sip/transport"
)

// house is a network with a registrar at 10.0.0.9 that knows the user 61, in a bubble.
type house struct {
	*testing.T
	file    string
	network *siptest.Network
	taken   map[string]bool // addresses in use
	port    int
	running func() (*status.Document, bool)
}

func newHouse(t *testing.T) *house {
	h := &house{T: t, file: filepath.Join(t.TempDir(), "portero.toml"), network: siptest.NewNetwork(1), taken: map[string]bool{}, port: 20000}
	h.network.Delay = time.Millisecond
	srv, err := registrar.New(registrar.Config{Users: []registrar.User{{Name: "61", Password: "kettle-on-8"}}})
	if err != nil {
		t.Fatal(err)
	}
	stack := transaction.NewStack(transaction.Config{}, srv, h.network.Listen("10.0.0.9:5060"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- stack.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	return h
}

func (h *house) listen(addr string) (app.Listener, error) {
	if h.taken[addr] {
		return nil, fmt.Errorf("listen on %s: %w", addr, syscall.EADDRINUSE)
	}
	if host, ok := strings.CutSuffix(addr, ":0"); ok {
		h.port++
		addr = fmt.Sprint(host, ":", h.port)
	}
	return h.network.Listen(addr), nil
}

// lookup knows one name, and addresses.
func (h *house) lookup(_ context.Context, u sip.URI) ([]transport.Target, error) {
	if t, ok := transport.LiteralTarget(u); ok {
		return []transport.Target{t}, nil
	}
	if u.Host == "fritz.box" {
		return []transport.Target{{Proto: sip.UDP, Addr: netip.MustParseAddrPort("10.0.0.9:5060"), Host: u.Host}}, nil
	}
	return nil, fmt.Errorf("transport: resolve %q: %w", u.Host, &net.DNSError{Err: "no such host", Name: u.Host, IsNotFound: true})
}

const houseConfig = `version = 1
[station]
data_dir = %q
[sip]
listen = "10.0.0.1:5062"
[[account]]
name = "home"
server = "10.0.0.9"
user = "61"
password = "kettle-on-8"
[[bell]]
name = "front"
line = "GPIO17"
targets = ["**9"]
[audio]
card = "none"
[board]
sim = true
`

// checker is one of the file, changed by edits (old, new, old, new...).
func (h *house) checker(edits ...string) *Checker {
	h.Helper()
	text := fmt.Sprintf(houseConfig, h.TempDir())
	for i := 0; i < len(edits); i += 2 {
		if !strings.Contains(text, edits[i]) {
			h.Fatalf("the file has no %q", edits[i])
		}
		text = strings.Replace(text, edits[i], edits[i+1], 1)
	}
	if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
		h.Fatal(err)
	}
	cfg, err := config.Load(h.file)
	if err != nil {
		h.Fatal(err)
	}
	return New(cfg, Options{File: h.file, Running: h.running, ListenSIP: h.listen, Lookup: h.lookup})
}

// registers lists the REGISTERs that were sent, repetitions aside, and checks that none changes a binding.
func (h *house) registers() (sent []string) {
	for _, s := range h.network.Log() {
		if strings.HasPrefix(s.Wire, "REGISTER ") && !slices.Contains(sent, s.Wire) {
			sent = append(sent, s.Wire)
			if strings.Contains(s.Wire, "\r\nContact:") || strings.Contains(s.Wire, "\r\nExpires:") {
				h.Errorf("a binding would change:\n%s", s.Wire)
			}
		}
	}
	return sent
}

// has fails unless the findings are these: "severity: text", where the text is a part.
func (h *house) has(faults config.Faults, want ...string) {
	h.Helper()
	if len(faults) != len(want) {
		h.Errorf("%d findings, want %d:\n%v", len(faults), len(want), faults)
		return
	}
	for i, f := range faults {
		severity, text, _ := strings.Cut(want[i], ": ")
		if f.Severity.String() != severity || !strings.Contains(f.Error(), text) {
			h.Errorf("%v: %v\nwant %s", f.Severity, f, want[i])
		}
	}
}

// TestAccounts asks each account's registrar once, and shows a password once.
func TestAccounts(t *testing.T) {
	for name, tt := range map[string]struct {
		edits []string
		want  []string
		sent  int
	}{
		"right": {nil, []string{"info: account[0] \"home\": 10.0.0.9:5060 knows the user name and the password; nobody is registered"}, 2},
		"by name": {[]string{`"10.0.0.9"`, `"fritz.box"`}, []string{
			`error: account[0] "home": 10.0.0.9:5060 takes no user "61" (403 Forbidden); compare with FRITZ!Box`}, 1},
		"wrong password": {[]string{"kettle-on-8", "kettle-off-8"}, []string{
			`error: 10.0.0.9:5060 refuses the user name "61" or its password (401 Unauthorized); it was not tried again`}, 2},
		"no password":   {[]string{`password = "kettle-on-8"`, ""}, []string{"error: asks for a password, and the file has none; write password"}, 1},
		"another realm": {[]string{"user = ", "realm = \"elsewhere\"\nuser = "}, []string{`error: of another realm`}, 1},
		"silence":       {[]string{`"10.0.0.9"`, `"10.0.0.8"`}, []string{`error: 10.0.0.8:5060 says nothing; is it a SIP server, over UDP`}, 1},
		"no such host": {[]string{`"10.0.0.9"`, `"fritz.bxo"`}, []string{
			`error: account[0].server "fritz.bxo": no such host; correct the name`}, 0},
		"lost proxy": {[]string{`user = `, "outbound_proxy = \"sbc.invalid\"\nuser = "}, []string{
			`error: account[0].outbound_proxy "sbc.invalid": no such host`}, 0},
		"not to be registered": {[]string{"user = ", "register = false\nuser = "}, []string{"info: not asked"}, 0},
		"a target that is off": {[]string{`["**9"]`, `["**9", "sip:10.0.0.7"]`}, []string{"info: knows the user name"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				h.has(h.checker(tt.edits...).Network(t.Context()), tt.want...)
				time.Sleep(time.Hour)
				if sent := h.registers(); len(sent) != tt.sent {
					t.Errorf("%d REGISTERs, want %d:\n%s", len(sent), tt.sent, strings.Join(sent, "\n"))
				}
			})
		})
	}
}

// TestOddRegistrars: one that knows no such question is no fault of the file; who is registered is named.
func TestOddRegistrars(t *testing.T) {
	for _, tt := range []struct {
		status int
		want   string
	}{
		{200, "info: 10.0.0.5:5060 knows the user name and asks for no password; registered: sip:61@10.0.0.77"},
		{400, "warning: is there, but does not answer the question (400 Bad Request); whether name and password are right"},
		{503, "warning: is there, but does not answer the question (503 Service Unavailable)"},
		{0, "warning: is there, but says nothing to the question; whether name and password are right"},
		{404, `error: takes no user "61" (404 Not Found)`},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			p := h.network.NewPeer(t, "10.0.0.5:5060")
			go func() {
				req, _ := p.Within(time.Minute)
				for tt.status == 0 && req != nil && req.Method != "OPTIONS" {
					req, _ = p.Within(time.Minute)
				}
				p.Respond(req, netip.MustParseAddrPort("10.0.0.1:20001"), cmp.Or(tt.status, 404), func(res *sip.Response) {
					if tt.status == 200 {
						res.Contact = []sip.Address{{URI: sip.URI{Scheme: "sip", User: "61", Host: "10.0.0.77"}}}
					}
				})
			}()
			h.has(h.checker(`"10.0.0.9"`, `"10.0.0.5"`).Network(t.Context()), tt.want)
		})
	}
}

// TestTargetsAreLookedFor: those that the station calls directly, each host once, not those that go through an
// account.
func TestTargetsAreLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.has(h.checker("[[bell]]", `[[bell]]
name = "back"
line = "GPIO22"
targets = ["sip:anna@nowhere.invalid", "sip:ben@NOWHERE.invalid", "sip:phone.local"]
[[bell]]
account = "home"`, `["**9"]`, `["sip:anna@elsewhere.invalid"]`).Network(t.Context()),
			`error: bell[0].targets[0] "sip:anna@nowhere.invalid": no such host`,
			`error: bell[0].targets[2] "sip:phone.local": nobody on the network answers to this name; is it switched on`,
			"info: knows the user name and the password")
	})
}

// TestRunningStationIsAsked in place of a second question, as long as it has this file.
func TestRunningStationIsAsked(t *testing.T) {
	for name, tt := range map[string]struct {
		about    device.About
		accounts []device.Account
		want     []string
		sent     int
	}{
		"registered": {device.About{}, []device.Account{{Name: "home", Registered: true}}, []string{
			"info: with this file", "info: the running station is registered since"}, 0},
		"not registered": {device.About{}, []device.Account{{Name: "home", Reason: "Forbidden"}}, []string{
			"info: with this file", "error: is not registered since 0001-01-01 00:00:00: Forbidden; FRITZ!Box"}, 0},
		"has not this account": {device.About{}, nil, []string{"info: with this file", "info: knows the user name"}, 2},
		"changed since": {device.About{}, []device.Account{{Name: "home", Reason: "old"}}, []string{
			"info: with another file, or with this one as it was then; sudo systemctl reload", "info: knows the user name"}, 2},
		"stand-in": {device.About{StandIn: &device.StandIn{Reason: "portero.toml:3: no"}}, []device.Account{{Name: "home", Reason: "old"}}, []string{
			"warning: with another configuration: what the station before ran with stands in for the file: portero.toml:3: no", "info: knows the user name"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t)
				c := h.checker()
				o := c.Options
				digest := c.cfg.Digest()
				if name == "changed since" {
					digest = "another"
				}
				o.Running = func() (*status.Document, bool) {
					return &status.Document{Snapshot: device.Snapshot{About: tt.about, Accounts: tt.accounts}, Digest: digest, File: h.file}, true
				}
				h.has(New(c.cfg, o).Network(t.Context()), tt.want...)
				if n := len(h.registers()); n != tt.sent {
					t.Errorf("%d REGISTERs, want %d", n, tt.sent)
				}
			})
		})
	}
}

// TestStation: what cannot be built is a fault, and the ports of the station that runs are none.
func TestStation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		h.has(h.checker().Station())
		h.taken["10.0.0.1:5062"] = true
		h.running = func() (*status.Document, bool) { return nil, false }
		h.has(h.checker().Station(), `error: another program holds the port (perhaps a second portero): stop it or change sip.listen`)
		h.running = func() (*status.Document, bool) { return &status.Document{}, true }
		h.has(h.checker().Station())
	})
}

// TestPortOfTheStation: without being told, the port's owner tells whose it is.
func TestPortOfTheStation(t *testing.T) {
	busy, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	addr := busy.LocalAddr().String()
	h := &house{T: t, file: filepath.Join(t.TempDir(), "portero.toml")}
	c := h.checker("10.0.0.1:5062", addr)
	o := c.Options
	o.ListenSIP = nil
	h.has(New(c.cfg, o).Station(), "info: the port of "+addr+" is in use by a program of the station's user")
	if got := holders(addr); !ours(got, os.Geteuid()) || ours(got, os.Geteuid()+1) || ours(nil, 0) {
		t.Errorf("held by %v", got)
	}
}

func TestHolders(t *testing.T) {
	const table = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  201: 0100007F:13C6 00000000:0000 07 00000000:00000000 00:00000000 00000000   107        0 33001 2 0000000000000000 0
  202: 00000000:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000   998        0 33002 2 0000000000000000 0
  203: 0100007F:13C6 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 33003 2 0000000000000000 0
`
	for port, want := range map[int]string{5062: "[107 0]", 5060: "[998]", 5061: "[]"} {
		if got := fmt.Sprint(holdersIn(bufio.NewScanner(strings.NewReader(table)), port)); got != want {
			t.Errorf("%d: %s, want %s", port, got, want)
		}
	}
}

// TestFilesOfACard: a microphone's file that is missing is a fault; a recording is left as it is.
func TestFilesOfACard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, dir := newHouse(t), t.TempDir()
		out := filepath.Join(dir, "out.wav")
		if err := os.WriteFile(out, []byte("yesterday"), 0o600); err != nil {
			t.Fatal(err)
		}
		card := func(in, out string) config.Faults {
			return h.checker(`"none"`, fmt.Sprintf("%q", "wav:"+in+","+out)).Station()
		}
		h.has(card(filepath.Join(dir, "in.wav"), out), "error: audio.card: ")
		h.has(card("../../cmd/portero/speech/visitor.wav", filepath.Join(dir, "none", "out.wav")), "error: audio.card: record: ")
		h.has(card("../../cmd/portero/speech/visitor.wav", out))
		if got, err := os.ReadFile(out); string(got) != "yesterday" {
			t.Errorf("the recording is %q, %v", got, err)
		}
	})
}

// TestPlainWords: a word at an account is probably meant for the built-in server.
func TestPlainWords(t *testing.T) {
	kitchen := "[[server.user]]\nname = \"Kitchen\"\npassword = \"kettle-on-9\"\n[[bell]]"
	for _, tt := range []struct {
		edits []string
		want  []string
	}{
		{[]string{`["**9"]`, `["kitchen"]`}, []string{
			`warning: bell[0].targets[0] "kitchen": no user of the built-in server: it is dialled as sip:kitchen@10.0.0.9 through the account "home"; ` +
				`if it is meant for a phone of the built-in server: write enabled = "on" under [server], add a [[server.user]] with name = "kitchen"`}},
		{[]string{`["**9"]`, `["kitchen"]`, "[[bell]]", kitchen, "[[account]]", "[server]\nenabled = \"on\"\nlisten = \"10.0.0.1:5060\"\n[[account]]"},
			[]string{`warning: if it is meant for a phone of the built-in server: write the target as its name: "Kitchen"`}},
		{[]string{`["**9"]`, `["Kitchen"]`, "[[bell]]", kitchen}, []string{`warning: server: write enabled = "on" under [server]`}},
		{[]string{`["**9"]`, `["**9", "61", "*21#", "sip:anna@10.0.0.9", "x"]`}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHouse(t)
			h.has(h.checker(tt.edits...).Station(), tt.want...)
		})
	}
}

func TestDataDir(t *testing.T) {
	h := &house{T: t, file: filepath.Join(t.TempDir(), "portero.toml")}
	dir := t.TempDir()
	in := func(dir string) config.Faults {
		c := h.checker()
		c.cfg.Station.DataDir = dir
		return c.DataDir()
	}
	h.has(in(filepath.Join(dir, "none")), `warning: not there: the audit of openings`)
	h.has(in(h.file), `warning: not a directory`)
	if os.Geteuid() != 0 {
		h.has(in(dir))
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		h.has(in(dir), "warning: permission denied")
	} else if faults := in(dir); faults.Fatal() { // there may be a user portero
		t.Error(faults)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCouldWrite(t *testing.T) {
	for _, tt := range []struct {
		mode             fs.FileMode
		own, group, want bool
	}{
		{0o700, true, false, true}, {0o500, true, false, false}, {0o070, true, true, false},
		{0o700, false, false, false}, {0o755, false, false, false}, {0o777, false, false, true},
		{0o770, false, true, true}, {0o750, false, true, false}, {0o707, false, true, false},
	} {
		if got := couldWrite(tt.mode, tt.own, tt.group); got != tt.want {
			t.Errorf("%+v: %v", tt, got)
		}
	}
}
