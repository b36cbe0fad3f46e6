package detect

import (
	"strings"

	"gatehouse/baseline"
)

// maxWords bounds the names of which it is remembered what they come to. A
// home asks for a few thousand different names a day.
const maxWords = 4096

// word is what the detectors need to know of a name. Each of them asks for it,
// and devices ask for the same few names all day: worked out anew each time,
// it took a tenth of the time for judging.
type word struct {
	name         string          // in lower case
	entity       baseline.Entity // of name
	domain       string          // RegisteredDomain
	domainEntity baseline.Entity
	host         string // hostname
	onInternet   bool
}

// words works out names and remembers them. When it is full it begins anew:
// that costs less than to know which name was not asked for any more.
type words map[string]*word

func (w words) of(name string) *word {
	if known := w[name]; known != nil {
		return known
	}
	if len(w) >= maxWords {
		clear(w)
	}
	lower := strings.ToLower(name)
	domain := RegisteredDomain(lower)
	known := &word{
		name: lower, entity: baseline.EntityOf(lower),
		domain: domain, domainEntity: baseline.EntityOf(domain),
		host: hostname(lower), onInternet: onInternet(lower),
	}
	w[name] = known
	return known
}
