package config

import (
	"strings"
	"sync"
	"time"
	"unicode"
)

// ofTheManual says whether a secret stands in the sample, which everybody can read. The samples of earlier
// versions have no others (TestSecretsOfTheSamples).
func ofTheManual(secret Secret) bool { return manualSecrets()[strings.ToLower(string(secret))] }

var manualSecrets = sync.OnceValue(func() map[string]bool {
	found := map[string]bool{}
	for line := range strings.Lines(string(Sample)) {
		key, value := keyLine(strings.TrimPrefix(line, "#"))
		if secret := strings.Trim(value, `"`); (key == "code" || key == "password") && secret != "" {
			found[strings.ToLower(secret)] = true
		}
	}
	return found
})

// triedFirst are passwords that are long enough and tried first.
var triedFirst = map[string]bool{"password": true, "passwort": true, "password1": true, "passw0rd": true,
	"changeme": true, "12345678": true, "123456789": true, "1234567890": true, "87654321": true, "11223344": true,
	"qwertyui": true, "qwertzui": true, "asdfghjk": true, "abcdefgh": true, "abcd1234": true, "letmein1": true,
	"iloveyou": true, "raspberry": true, "portero1": true, "doorbell": true}

// easyPassword says what makes a password of that user easy to guess; "": nothing.
func easyPassword(password Secret, user string) string {
	p, name := strings.ToLower(string(password)), strings.ToLower(user)
	notLetter := func(r rune) bool { return !unicode.IsLetter(r) }
	switch {
	case p == "":
		return ""
	case ofTheManual(password):
		return "the sample's own, which everybody can read"
	case name != "" && strings.Contains(p, name) && strings.TrimFunc(strings.ReplaceAll(p, name, ""), notLetter) == "":
		return "the user's own name" // kitchen, kitchen2026
	case triedFirst[p], oneDigit(p):
		return "among the first that anybody tries"
	}
	return ""
}

// easyCode says what makes the digits of a code easy to guess; "": nothing.
func easyCode(digits string) string {
	step, steady := 0, true // the same from each digit to the next, 9 being followed by 0
	for i := 1; i < len(digits); i++ {
		d := (int(digits[i]) - int(digits[i-1]) + 10) % 10
		steady = steady && (i == 1 || d == step)
		step = d
	}
	different := map[rune]bool{}
	for _, r := range digits {
		different[r] = true
	}
	switch {
	case oneDigit(digits):
		return "one digit again and again"
	case steady && (step == 1 || step == 9):
		return "digits in their order"
	case steady:
		return "digits in equal steps"
	case len(different) == 2:
		return "two digits only"
	case repeats(digits):
		return "a group of digits again and again"
	case onKeypad(digits):
		return "a pattern of the keypad"
	case isDate(digits):
		return "a date or a year, as birthdays are"
	}
	return ""
}

func oneDigit(s string) bool { return strings.Trim(s, s[:1]) == "" }

func repeats(s string) bool {
	for n := 2; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return true
		}
	}
	return false
}

// keypadLines are what a finger draws without turning; each also the other way round.
var keypadLines = []string{"2580", "1590", "3570", "1470", "3690", "7410", "9630", "123", "456", "789", "147", "258", "369", "159",
	"357"}

// neighbours are the keys above, below and beside a key.
var neighbours = [10]string{0: "8", 1: "24", 2: "135", 3: "26", 4: "157", 5: "2468", 6: "359", 7: "48", 8: "5790", 9: "68"}

// onKeypad finds a walk from key to key (2580, 1478), lines one after the other (1590, 147258), and the corners
// or the cross in any order (1379, 2684).
func onKeypad(digits string) bool {
	walk := true
	for i := 1; i < len(digits); i++ {
		walk = walk && strings.IndexByte(neighbours[digits[i-1]-'0'], digits[i]) >= 0
	}
	if walk {
		return true
	}
	for _, four := range []string{"1379", "2468"} {
		once := len(digits) == 4
		for _, r := range four {
			once = once && strings.ContainsRune(digits, r)
		}
		if once {
			return true
		}
	}
	drawn := make([]bool, len(digits)+1) // the first i digits are lines
	drawn[0] = true
	for i := range digits {
		for _, line := range keypadLines {
			for _, l := range []string{line, reversed(line)} {
				if drawn[i] && strings.HasPrefix(digits[i:], l) {
					drawn[i+len(l)] = true
				}
			}
		}
	}
	return drawn[len(digits)]
}

func reversed(s string) string {
	b := []byte(s)
	for i := range len(b) / 2 {
		b[i], b[len(b)-1-i] = b[len(b)-1-i], b[i]
	}
	return string(b)
}

// isDate finds years from 1900 to 2039, days of the year, and days of those years.
func isDate(digits string) bool {
	for _, form := range []string{"2006", "0201", "0102", "020106", "010206", "02012006", "01022006", "20060102"} {
		if len(form) != len(digits) {
			continue
		}
		day, err := time.Parse(form, digits)
		if err == nil && (!strings.Contains(form, "2006") || day.Year() >= 1900 && day.Year() < 2040) {
			return true
		}
	}
	return false
}
