package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"portero/sip"
)

func (d *document) sip(c *Config) {
	host, port, ok := splitListen(c.SIP.Listen)
	if !ok {
		d.listen("sip.listen", c.SIP.Listen, ":5062")
	}
	if a := c.SIP.PublicAddress; a != "" {
		addr, err := netip.ParseAddr(a)
		switch {
		case err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast():
			remedy := `write the IP address alone, without port; a host name will not do, since sound is sent to addresses: for one that changes write ""`
			if bare, err := netip.ParseAddr(strings.Trim(a, "[]")); err == nil && bare.Is6() && bare.Zone() == "" && a != bare.String() {
				remedy = fmt.Sprintf("write %q, without brackets", bare)
			}
			d.fault("sip.public_address", a, "not an IP address", remedy)
		case ok && port == 0:
			d.fault("sip.public_address", a, "the port is not known: sip.listen leaves it to chance", `give sip.listen a port, such as ":5062"`)
		}
	}
	for i, text := range c.SIP.AnswersFrom {
		if net, ok := parseNet(text); !ok {
			d.fault(fmt.Sprintf("sip.answers_from[%d]", i), text, "not an IP address or network", `write "192.0.2.7", or "192.0.2.0/24"`)
		} else if net.Bits() == 0 {
			d.fault(fmt.Sprintf("sip.answers_from[%d]", i), text, "lets the whole world speak in calls", `name the server's address or its network`)
		}
	}
	first, last, err := c.SIP.Ports()
	if err != nil {
		_, problem, _ := strings.Cut(strings.TrimPrefix(err.Error(), "config: "), ": ")
		d.fault("sip.rtp_ports", c.SIP.RTPPorts, problem, `write "10000-10199"`)
	} else if ok && port >= first && port <= last {
		d.fault("sip.rtp_ports", c.SIP.RTPPorts, fmt.Sprintf("holds the port %d of sip.listen", port), `write "10000-10199"`)
	}
	d.between("sip.silence_limit", c.SIP.SilenceLimit, 5*time.Second, 5*time.Minute)
	if !c.ServerOn() {
		return
	}
	serverHost, serverPort, serverOK := splitListen(c.Server.Listen)
	switch {
	case !serverOK || serverPort == 0:
		d.listen("server.listen", c.Server.Listen, ":5060")
	case ok && port == serverPort && (host == serverHost || wildcard(host) || wildcard(serverHost)):
		d.fault("server.listen", c.Server.Listen, "the same port as sip.listen", `write ":5060" here and ":5062" under [sip]`)
	case err == nil && serverPort >= first && serverPort <= last:
		d.fault("sip.rtp_ports", c.SIP.RTPPorts, fmt.Sprintf("holds the port %d of server.listen", serverPort), `write "10000-10199"`)
	}
}

// listen reports an address that cannot be listened on.
func (d *document) listen(key, value, port string) {
	remedy := fmt.Sprintf("write %q for all addresses, or %q", port, "192.168.1.5"+port)
	if addr, err := netip.ParseAddr(value); err == nil && addr.Is4() {
		remedy = fmt.Sprintf("write %q, or %q for all addresses", value+port, port)
	} else if brackets := inBrackets(value, port); brackets != "" {
		remedy = brackets
	}
	d.fault(key, value, "not an address to listen on", remedy)
}

func wildcard(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }

func (d *document) account(c *Config, i int) {
	a := &c.Accounts[i]
	at := fmt.Sprintf("account[%d].", i)
	d.name(at+"name", a.Name, "account")

	server := func(key, value string) {
		if validServer(value) {
			return
		}
		problem, remedy := "not a server", `write host or host:port: "fritz.box", "192.168.178.1:5060"`
		if rest := serverIn(value); rest != "" {
			remedy = fmt.Sprintf("write %q alone", rest)
			if strings.HasPrefix(value, "sips:") {
				problem = "SIP over TLS is not supported"
			}
		} else if brackets := inBrackets(value, "", ":5060"); brackets != "" {
			remedy = brackets
		}
		d.fault(at+key, value, problem, remedy)
	}
	if a.Server == "" {
		d.fault(at+"server", "", "missing", `write server = "fritz.box"`)
	} else {
		server("server", a.Server)
	}
	if a.OutboundProxy != "" {
		server("outbound_proxy", a.OutboundProxy)
	}
	if a.Domain != "" && !validHost(a.Domain) {
		d.fault(at+"domain", a.Domain, "not a domain", cmp.Or(inBrackets(a.Domain, ""), "write a host name without port"))
	}
	switch {
	case a.User == "":
		d.fault(at+"user", "", "missing", "write the user name that the SIP server knows the station by")
	case strings.ContainsAny(a.User, "@ \"<>:"):
		d.fault(at+"user", a.User, "not a user name", "write the part before the @ alone")
	case a.Server != "" && validServer(a.Server) && (a.Domain == "" || validHost(a.Domain)):
		if _, err := sip.ParseURI(a.AOR()); err != nil { // what the station registers by
			d.fault(at+"user", a.User, "not a user name that a SIP address can hold",
				"write other characters than letters and digits as %XX")
		}
	}
	switch {
	case a.Password != "" && a.PasswordFile != "":
		d.fault(at+"password_file", a.PasswordFile, "there is a password as well", "keep one of the two")
	case a.PasswordFile != "" && a.PasswordFile[0] != '/':
		d.fault(at+"password_file", a.PasswordFile, "not an absolute path", `write it from the root: "/etc/portero/fritz.password"`)
	case a.Password == "" && a.PasswordFile == "":
		d.warn(at+"password", "", "no password: a server that asks for one will refuse the station", "write password or password_file")
	}
	d.accountPassword(a, at+"password")
	d.between(at+"expires", a.Expires, time.Minute, 24*time.Hour)
}

// accountPassword tells of a password that others can guess. The account is used all the same: what its server
// takes is the server's affair, and the bell rings.
func (d *document) accountPassword(a *Account, key string) {
	f := Fault{Severity: Warning, Key: key, Remedy: "give the station a long random one at the SIP server, and write that here"}
	why := easyPassword(a.Password, a.User)
	if why == "" {
		return
	}
	f.Problem = "easily guessed: " + why + "; who knows it can take the station's calls"
	if ofTheManual(a.Password) {
		f.Severity = Unsafe
	}
	d.report(f)
}

// StationUser is the station's own user name at the built-in server, and in calls without an account.
const StationUser = "door"

func (d *document) server(c *Config) {
	d.oneOf("server.enabled", c.Server.Enabled, "auto", "on", "off")
	if dom := c.Server.Domain; dom != "" && (!validHost(dom) || strings.Contains(dom, ":")) {
		d.fault("server.domain", dom, "not a domain", `write a host name, or "" for any`)
	}
	if len(c.Server.Users) > 0 && !c.ServerOn() {
		d.warn("server.user[0]", "", "the built-in server is off: its users cannot log in", `write enabled = "on" under [server]`)
	}
	for i, u := range c.Server.Users {
		at := fmt.Sprintf("server.user[%d].", i)
		switch {
		case u.Name == "":
			d.fault(at+"name", "", "missing", `write name = "kitchen"`)
		case !userName(u.Name) || len(u.Name) > 64:
			d.fault(at+"name", u.Name, "not a user name", "use letters, digits, dot, hyphen and underscore")
		case strings.EqualFold(u.Name, StationUser):
			d.fault(at+"name", u.Name, "the station's own name at the built-in server", "choose another name")
		}
		const remedy = "a long random one is typed into the phone only once"
		switch why := easyPassword(u.Password, u.Name); {
		case u.Password == "":
			d.fault(at+"password", "", "missing: there is no default password", "write password = \"...\" with at least 8 characters")
		case len([]rune(u.Password)) < 8:
			d.fault(at+"password", "", "shorter than 8 characters", remedy)
		case why != "":
			d.report(Fault{Severity: Unsafe, Key: at + "password",
				Problem: "easily guessed: " + why + "; this user cannot log in", Remedy: remedy})
		}
	}
}

func (d *document) bell(c *Config, i int) {
	b := &c.Bells[i]
	at := fmt.Sprintf("bell[%d].", i)
	d.name(at+"name", b.Name, "bell")
	d.oneOf(at+"bias", b.Bias, "pull-up", "pull-down", "none")
	if b.ActiveLow && b.Bias == "pull-down" || !b.ActiveLow && b.Bias == "pull-up" {
		d.warn(at+"bias", b.Bias, fmt.Sprintf("pulls an open button to its pressed level (active_low = %v)", b.ActiveLow),
			`a button to ground wants active_low = true with "pull-up", one to 3.3 V active_low = false with "pull-down"`)
	}
	d.between(at+"debounce", b.Debounce, 0, time.Second)
	d.between(at+"hold", b.Hold, 0, 2*time.Second)
	if b.AC && b.Hold > 0 && b.Hold <= 25*time.Millisecond {
		d.warn(at+"hold", b.Hold, "two spikes less than 25ms apart are such a press where ac = true",
			`write hold = "50ms"`)
	}
	if b.StuckAfter != 0 {
		d.between(at+"stuck_after", b.StuckAfter, time.Second, time.Hour)
	}
	d.oneOf(at+"strategy", b.Strategy, "parallel", "serial")
	d.between(at+"ring_limit", b.RingLimit, 5*time.Second, 10*time.Minute)
	d.between(at+"talk_limit", b.TalkLimit, 10*time.Second, time.Hour)
	if b.Strategy == "serial" {
		d.between(at+"hunt_after", b.HuntAfter, 3*time.Second, 2*time.Minute)
		if n := len(b.Targets); n > 1 && b.HuntAfter*time.Duration(n-1) >= b.RingLimit {
			d.warn(at+"ring_limit", b.RingLimit, fmt.Sprintf("ends before the last of %d targets rings", n),
				fmt.Sprintf("write at least %q, or a shorter hunt_after", short(b.HuntAfter*time.Duration(n))))
		}
	}
	d.oneOf(at+"when_busy", b.WhenBusy, "ignore", "busy-tone", "replace")
	if b.Chime != "ding-dong" && b.Chime != "none" && (!strings.HasSuffix(b.Chime, ".wav") || b.Chime[0] != '/') {
		d.fault(at+"chime", b.Chime, "unknown chime", `write "ding-dong", "none" or the absolute path of a .wav file`)
	}
	if b.Account != "" && c.Account(b.Account) == nil {
		d.fault(at+"account", b.Account, "no such account", d.suggest(b.Account, names(c.Accounts, func(a Account) string { return a.Name })))
	}
	if len(b.Targets) == 0 {
		d.fault(at+"targets", "", "missing: the bell would ring nowhere", `write targets = ["kitchen"], ["**9"] or ["sip:192.168.1.9"]`)
	}
	for j, text := range b.Targets {
		d.target(c, b, fmt.Sprintf("%stargets[%d]", at, j), text)
	}
}

func (d *document) target(c *Config, b *Bell, key, text string) {
	t, err := c.Target(b, text)
	users := names(c.Server.Users, func(u ServerUser) string { return u.Name })
	if err == nil {
		if near := nearest(text, users); c.ServerOn() && near != "" && t.Account != "" && t.User == text && strings.Trim(text, "0123456789") != "" {
			d.warn(key, text, fmt.Sprintf("no user of the built-in server: it is dialled at the account %q", t.Account),
				fmt.Sprintf("did you mean %q?", near))
		}
		return
	}
	switch {
	case text == "":
		d.fault(key, "", "empty", "remove it")
	case strings.HasPrefix(text, "sips:"):
		d.fault(key, text, "SIP over TLS is not supported", "write sip:")
	case strings.HasPrefix(text, "tel:"):
		d.fault(key, text, "not a SIP URI", "write the number alone, or sip:number@server")
	case nearlyURI(text): // taken once: the bell's other targets must ring on
		d.report(Fault{Severity: Ignored, Key: key, Value: shown(text), Problem: "not a SIP URI, and is not called",
			Remedy: "write other characters than letters and digits as %XX"})
	case strings.Contains(text, ":"):
		remedy := `write "sip:user@host" or "sip:host:port"`
		if meant := uriMeant(text); meant != "" {
			remedy = fmt.Sprintf("write %q: an IPv6 address stands in brackets", meant)
		}
		d.fault(key, text, "not a SIP URI", remedy)
	case strings.Contains(text, "@"):
		d.fault(key, text, "not a SIP URI", fmt.Sprintf("write %q", "sip:"+text))
	case c.Account(b.Account) != nil || b.Account != "" || d.bad["account"]:
		if c.Account(b.Account) != nil {
			d.fault(key, text, "not a number or name that can be dialled", `write "**9", "61" or "sip:user@host"`)
		}
	case len(users) > 0 && !c.ServerOn():
		d.fault(key, text, "the built-in server is off and there is no account", `write enabled = "on" under [server]`)
	default:
		d.fault(key, text, "neither a user of the built-in server nor a SIP URI, and there is no account to dial through", d.suggest(text, users))
	}
}
