package sip

import "testing"

func TestParseAddress(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want Address
		out  string
	}{
		{"<sip:a@b>", Address{URI: URI{Scheme: "sip", User: "a", Host: "b"}}, "<sip:a@b>"},
		{`"Bob, the \"builder\" \\" <sip:b@c;lr>;tag=1`,
			Address{DisplayName: `Bob, the "builder" \`, URI: URI{Scheme: "sip", User: "b", Host: "c",
				Params: ";lr"}, Params: ";tag=1"},
			`"Bob, the \"builder\" \\" <sip:b@c;lr>;tag=1`},
		{"caller<sip:a@b>;tag=3", Address{DisplayName: "caller", URI: URI{Scheme: "sip", User: "a",
			Host: "b"}, Params: ";tag=3"}, `"caller" <sip:a@b>;tag=3`},
		{" two  words \t<sip:a@b> ; tag = 3 ", Address{DisplayName: "two  words",
			URI: URI{Scheme: "sip", User: "a", Host: "b"}, Params: ";tag=3"},
			`"two  words" <sip:a@b>;tag=3`},
		{"Haustür (links) <sip:a@b>", Address{DisplayName: "Haustür (links)",
			URI: URI{Scheme: "sip", User: "a", Host: "b"}}, `"Haustür (links)" <sip:a@b>`},
		{`"" <sip:a@b>`, Address{URI: URI{Scheme: "sip", User: "a", Host: "b"}}, "<sip:a@b>"},
		// Without brackets the parameters are the header's (RFC 3261 §20).
		{"sip:a@b;tag=3", Address{URI: URI{Scheme: "sip", User: "a", Host: "b"}, Params: ";tag=3"},
			"<sip:a@b>;tag=3"},
		{"sip:[::1]:5060 ;q=1", Address{URI: URI{Scheme: "sip", Host: "[::1]", Port: 5060}, Params: ";q=1"},
			"<sip:[::1]:5060>;q=1"},
		{"<sip:a@b?Route=%3Csip:c%3E>", Address{URI: URI{Scheme: "sip", User: "a", Host: "b",
			Headers: "Route=%3Csip:c%3E"}}, "<sip:a@b?Route=%3Csip:c%3E>"},
		{"<tel:+1;ext=2>;x", Address{URI: URI{Scheme: "tel", Opaque: "+1;ext=2"}, Params: ";x"},
			"<tel:+1;ext=2>;x"},
		{"isbn:2983792873", Address{URI: URI{Scheme: "isbn", Opaque: "2983792873"}}, "<isbn:2983792873>"},
		{" * ", Address{Star: true}, "*"},
		{"\"BEL:\\\x07 NUL:\\\x00\" <sip:a@b>", Address{DisplayName: "BEL:\x07 NUL:\x00",
			URI: URI{Scheme: "sip", User: "a", Host: "b"}},
			"\"BEL:\\\x07 NUL:\\\x00\" <sip:a@b>"},
	} {
		got, err := ParseAddress(tt.in)
		if err != nil || got != tt.want || got.String() != tt.out {
			t.Errorf("ParseAddress(%q) = %+v (%s), %v, want %+v (%s)", tt.in, got, got, err, tt.want, tt.out)
		}
		if again, err := ParseAddress(got.String()); err != nil || again != got {
			t.Errorf("ParseAddress(%q) = %+v, %v, want %+v", got.String(), again, err, got)
		}
	}
}

func TestParseAddressRefuses(t *testing.T) {
	for _, s := range []string{
		"", " ", "<", "<>", "<sip:a@b", "sip:a@b>", `"Bob <sip:a@b>`, `"Bob" sip:a@b`, `"Bob"`,
		`"Bob" x <sip:a@b>`, "Bell, Alexander <sip:a@b>",
		"< sip:a@b >", "sip:a@b?x=y", "<sip:a@b> x", "<sip:a@b>;;", "<sip:a@b>, <sip:c@d>", "<<sip:a@b>>",
		"*;q=1", "**", `a"b <sip:a@b>`, "sip:a b@c",
	} {
		if a, err := ParseAddress(s); err == nil {
			t.Errorf("ParseAddress(%q) = %+v, want an error", s, a)
		}
	}
}

func TestAddressParams(t *testing.T) {
	a, err := ParseAddress("<sip:a@b>;tag=x;q=0.33;expires=60")
	if err != nil {
		t.Fatal(err)
	}
	if a.Tag() != "x" || a.WithTag("y").Tag() != "y" || a.Tag() != "x" {
		t.Errorf("tags %q, %q", a.Tag(), a.WithTag("y").Tag())
	}
	if got := (Address{}).Tag(); got != "" {
		t.Errorf("Tag of none = %q", got)
	}
	for p, want := range map[Params]int{
		"": 1000, ";q=0.33": 330, ";q=1": 1000, ";q=0": 0, ";q=0.005": 5, ";q=1.000": 1000, ";q=1.5": 1000,
		";q=x": 1000, ";q": 1000, ";q=0.1234": 1000,
		";q=00": 1000, ";q=0.": 0,
	} {
		if got := (Address{Params: p}).Q(); got != want {
			t.Errorf("Q of %q = %d, want %d", p, got, want)
		}
	}
	for p, want := range map[Params]int{
		"": 0, ";expires=60": 60, ";expires=0": 0, ";expires=280297596632815": 1<<31 - 1,
		";expires=soon": 3600, ";expires": 3600, ";expires=-1": 3600,
	} {
		if got, ok := (Address{Params: p}).Expires(); got != want || ok != (p != "") {
			t.Errorf("Expires of %q = %d, %v, want %d", p, got, ok, want)
		}
	}
}
