package access

import (
	"slices"
	"testing"
	"time"
)

// A key by one of several ways: what each of them brings.
func TestWaysOfDigits(t *testing.T) {
	type keys struct {
		by   Way
		keys string
		at   time.Duration // of the first; the others follow every 100 ms
		want string        // the outcome of the last
	}
	for name, test := range map[string]struct {
		typed  []keys
		events []string
	}{
		"by two ways": {[]keys{{ByEvents, "5913#", 0, "accepted"}, {ByINFO, "5913#", time.Second, ""}},
			[]string{"code.accepted cpost"}},
		"one way garbled": {[]keys{{ByEvents, "593#", 0, "wrong"}, {ByINFO, "5913#", time.Second, "accepted"}},
			[]string{"code.wrong c", "code.accepted cpost"}},
		"halves do not add up": {[]keys{{ByEvents, "59", 0, ""}, {ByINFO, "13#", time.Second, "wrong"},
			{ByEvents, "13#", time.Second, "accepted"}}, []string{"code.wrong c", "code.accepted cpost"}},
		"a forged key does not silence another way": {[]keys{{ByOtherEvents, "0", 0, ""},
			{ByINFO, "5913#", 0, "accepted"}}, []string{"code.accepted cpost"}},
		"one wrong code by four ways": {[]keys{{ByEvents, "0000#", 0, "wrong"},
			{ByOtherEvents, "0000#", 0, ""}, {ByTones, "0000#", 0, ""}, {ByINFO, "0000#", 4 * time.Second, ""}},
			[]string{"code.wrong c"}},
		"different wrong codes": {[]keys{{ByEvents, "0000#", 0, "wrong"}, {ByINFO, "0001#", 0, "wrong"}},
			[]string{"code.wrong c", "code.wrong c"}},
		"the same wrong code later": {[]keys{{ByEvents, "0000#", 0, "wrong"},
			{ByINFO, "0000#", 6 * time.Second, "wrong"}}, []string{"code.wrong c", "code.wrong c"}},
		"typed twice by two ways": {[]keys{{ByEvents, "5913#", 0, "accepted"}, {ByINFO, "5913#", 0, ""},
			{ByEvents, "5913#", 2 * time.Second, "accepted"}, {ByINFO, "5913#", 2 * time.Second, ""}},
			[]string{"code.accepted cpost", "code.accepted cpost"}},
		"a wrong code typed twice": {[]keys{{ByEvents, "0000#", 0, "wrong"},
			{ByEvents, "0000#", time.Second, "wrong"}}, []string{"code.wrong c", "code.wrong c"}},
	} {
		d := newDesk(t, t.TempDir(), twoCodes())
		e, begin := d.NewEntry("c"), time.Now()
		for _, k := range test.typed {
			var res Result
			for i, r := range k.keys {
				res = e.Digit(k.by, r, begin.Add(k.at+time.Duration(i)*100*time.Millisecond))
			}
			if string(res.Outcome) != k.want {
				t.Errorf("%s: %q by %d: outcome %q, want %q", name, k.keys, k.by, res.Outcome, k.want)
			}
		}
		if !slices.Equal(d.events, test.events) {
			t.Errorf("%s: events %q, want %q", name, d.events, test.events)
		}
	}
}
