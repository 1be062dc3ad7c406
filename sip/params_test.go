package sip

import (
	"slices"
	"testing"
)

func TestParams(t *testing.T) {
	p := Params(`;lr;Transport=udp;q=0.5;n="a;b=\"c\\";empty=;tag=ab==`)
	for _, tt := range []struct {
		name, value string
		ok          bool
	}{
		{"lr", "", true}, {"LR", "", true}, {"transport", "udp", true}, {"q", "0.5", true},
		{"n", `a;b="c\`, true}, {"empty", "", true},
		{"tag", "ab==", true}, {"b", "", false}, {"", "", false}, {"l", "", false},
	} {
		if v, ok := p.Get(tt.name); v != tt.value || ok != tt.ok || p.Has(tt.name) != tt.ok {
			t.Errorf("Get(%q) = %q, %v, want %q, %v", tt.name, v, ok, tt.value, tt.ok)
		}
	}
	var all []string
	for n, v := range p.All() {
		all = append(all, n, v)
	}
	if want := []string{"lr", "", "Transport", "udp", "q", "0.5", "n", `a;b="c\`, "empty", "", "tag",
		"ab=="}; !slices.Equal(all, want) {
		t.Errorf("All = %q, want %q", all, want)
	}
	for range p.All() {
		break
	}
}

func TestParamsWith(t *testing.T) {
	for _, tt := range []struct {
		p           Params
		name, value string
		want        Params
	}{
		{"", "lr", "", ";lr"},
		{"", "tag", "a1", ";tag=a1"},
		{";branch=z;rport;x=1", "RPORT", "5060", ";branch=z;RPORT=5060;x=1"},
		{";a=1;b=2;a=3", "a", "9", ";a=9;b=2"},
		{";a", "received", "2001:db8::1", ";a;received=2001:db8::1"},
		{";a", "m", "[::1]", ";a;m=[::1]"},
		{";a", "t", `say "hi"; now\`, `;a;t="say \"hi\"; now\\"`},
		{"", "t", "(x)", `;t="(x)"`},
		{"", "t", "a\r\nb", `;t="a  b"`},
		{`;n="a;b";c`, "c", "d", `;n="a;b";c=d`},
	} {
		got := tt.p.With(tt.name, tt.value)
		if got != tt.want {
			t.Errorf("%q.With(%q, %q) = %q, want %q", tt.p, tt.name, tt.value, got, tt.want)
		}
		if again, rest, err := scanParams(string(got)); again != got || rest != "" || err != nil {
			t.Errorf("scanParams(%q) = %q, %q, %v", got, again, rest, err)
		}
	}
	if got := Params(`;a;b="x;a";A=1;c`).Without("a"); got != `;b="x;a";c` {
		t.Errorf("Without = %q", got)
	}
	if got := Params(";a").Without("a"); got != "" {
		t.Errorf("Without = %q", got)
	}
	// A hand-made list without a leading semicolon, or with an open quote, must end.
	for range Params(`a;b="`).All() {
	}
}

func TestScanParams(t *testing.T) {
	for _, tt := range []struct {
		in   string
		p    Params
		rest string
		ok   bool
	}{
		{"", "", "", true},
		{"  ", "", "", true},
		{" ; a = 1 ;\tb ; c = \" x ; y \"  , next", `;a=1;b;c=" x ; y "`, ", next", true},
		{";a=1, b", ";a=1", ", b", true},
		{` ;a="\"",`, `;a="\""`, ",", true},
		{";a= ;b", ";a=;b", "", true},
		{";;", "", "", false}, {";", "", "", false}, {"; ,", "", "", false}, {"x", "", "", false},
		{";a b", "", "", false},
		{`;a="x`, "", "", false}, {`;a="x\"`, "", "", false}, {";a=<b>", "", "", false},
		{`;a="x"y`, "", "", false}, {";=a", "", "", false},
	} {
		p, rest, err := scanParams(tt.in)
		if p != tt.p || rest != tt.rest || (err == nil) != tt.ok {
			t.Errorf("scanParams(%q) = %q, %q, %v", tt.in, p, rest, err)
		}
	}
}
