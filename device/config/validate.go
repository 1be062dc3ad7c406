package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"portero/audio"
)

// validate reports every value that cannot work. Keys that have a fault already are left alone.
func (d *document) validate(c *Config) {
	d.station(c)
	d.sip(c)
	for i := range c.Accounts {
		d.account(c, i)
	}
	d.server(c)
	if len(c.Bells) == 0 {
		d.warn("bell", "", "no bell: nothing rings", "add a [[bell]]")
	}
	for i := range c.Bells {
		d.bell(c, i)
	}
	for i := range c.Doors {
		d.door(c, i)
	}
	for i := range c.Inputs {
		d.input(c, i)
	}
	for i := range c.Lamps {
		d.lamp(c, i)
	}
	d.boardLines(c)
	d.codes(c)
	d.incoming(c)
	d.audio(c)
	d.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	d.oneOf("log.format", c.Log.Format, "text", "json")

	unique(d, "account", c.Accounts, func(a Account) string { return a.Name })
	unique(d, "server.user", c.Server.Users, func(u ServerUser) string { return u.Name })
	unique(d, "bell", c.Bells, func(b Bell) string { return b.Name })
	unique(d, "door", c.Doors, func(x Door) string { return x.Name })
	unique(d, "input", c.Inputs, func(in Input) string { return in.Name })
	unique(d, "lamp", c.Lamps, func(l Lamp) string { return l.Name })
}

func (d *document) fault(key string, value any, problem, remedy string) {
	d.report(Fault{Key: key, Value: text(value), Problem: problem, Remedy: remedy})
}

func (d *document) warn(key string, value any, problem, remedy string) {
	d.report(Fault{Severity: Warning, Key: key, Value: text(value), Problem: problem, Remedy: remedy})
}

func text(value any) string {
	switch v := value.(type) {
	case time.Duration:
		return shown(short(v))
	case Secret:
		return ""
	case string:
		if v == "" {
			return ""
		}
	}
	return shown(value)
}

func (d *document) oneOf(key, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	remedy := `write "` + strings.Join(allowed, `" or "`) + `"`
	if n := nearest(value, allowed); n != "" {
		remedy = fmt.Sprintf("did you mean %q?", n)
	}
	d.fault(key, value, "unknown value", remedy)
}

func (d *document) between(key string, value, low, high time.Duration) {
	if value < low || value > high {
		d.fault(key, value, "out of range", fmt.Sprintf("write a duration from %q to %q", short(low), short(high)))
	}
}

// short writes 10m0s as 10m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// name checks a name that appears in logs, events and other keys.
func (d *document) name(key, value, what string) {
	switch {
	case strings.TrimSpace(value) == "":
		d.fault(key, "", "missing", fmt.Sprintf(`give the %s a name: name = "front"`, what))
	case len(value) > 64:
		d.fault(key, value, "longer than 64 bytes", "shorten it")
	}
}

// unique checks that no two elements of an array of tables have the same name.
func unique[T any](d *document, table string, list []T, name func(T) string) {
	seen := map[string]int{}
	for i, e := range list {
		n := strings.ToLower(name(e))
		if n == "" {
			continue
		}
		if first, ok := seen[n]; ok {
			d.fault(fmt.Sprintf("%s[%d].name", table, i), name(e),
				fmt.Sprintf("the name of the %s in line %d", table, d.line(fmt.Sprintf("%s[%d].name", table, first))), "give each its own name")
			continue
		}
		seen[n] = i
	}
}

func (d *document) station(c *Config) {
	d.name("station.name", c.Station.Name, "station")
	if !filepath.IsAbs(c.Station.DataDir) {
		d.fault("station.data_dir", c.Station.DataDir, "not an absolute path", `write "/var/lib/portero"`)
	}
}

func (d *document) audio(c *Config) {
	a := c.Audio
	if files, ok := strings.CutPrefix(a.Card, "wav:"); ok {
		if in, out, ok := strings.Cut(files, ","); !ok || in == "" || out == "" || strings.Contains(out, ",") {
			d.fault("audio.card", a.Card, "two files are wanted", `write "wav:IN.wav,OUT.wav"`)
		}
	}
	if a.Rate != 0 && (a.Rate < 8000 || a.Rate > 192000) {
		d.fault("audio.rate", a.Rate, "not a sampling rate", "write 48000, or 0 for the card's own")
	}
	d.between("audio.period", a.Period, 5*time.Millisecond, 40*time.Millisecond)
	if len(a.Codecs) == 0 {
		d.fault("audio.codecs", "", "no codec", `write ["PCMA", "PCMU"]`)
	}
	for i, codec := range a.Codecs {
		key := fmt.Sprintf("audio.codecs[%d]", i)
		d.oneOf(key, codec, "PCMA", "PCMU", "G722")
		if slices.Contains(a.Codecs[:i], codec) {
			d.fault(key, codec, "named twice", "remove one")
		}
	}
	for control, percent := range c.Audio.Volume {
		if percent < 0 || percent > 100 {
			d.fault(join("audio.volume", control), percent, "out of range", "write a percentage from 0 to 100")
		}
	}
	d.ringBack(a.RingBack)
}

// ringBack: a country whose tones are not known was taken once, and must not silence a bell now.
func (d *document) ringBack(country string) {
	known := audio.ToneCountries()
	if slices.Contains(known, country) {
		return
	}
	f := Fault{Key: "audio.ring_back", Value: text(country), Problem: "not a country whose tones are known",
		Remedy: `write one of two letters: "` + strings.Join(known, `", "`) + `"`}
	if len(country) == 2 && strings.Trim(country, "abcdefghijklmnopqrstuvwxyz") == "" {
		f.Severity, f.Problem = Ignored, f.Problem+`: the visitor hears those of "de"`
	}
	d.report(f)
}

// suggest is a remedy for a reference to a name that does not exist.
func (d *document) suggest(name string, known []string) string {
	if len(known) == 0 {
		return "define it first"
	}
	if n := nearest(name, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return fmt.Sprintf("known: %q", known)
}

func names[T any](list []T, name func(T) string) []string {
	out := make([]string, len(list))
	for i, e := range list {
		out[i] = name(e)
	}
	return out
}
