// Command porcupine asks a general linearizability checker about a history of lab/histories: a second opinion on the
// positions that lab/histories/checker.py goes by.
//
// Every group is an object of its own, and so is every key package. An operation without an answer may take effect at
// any time after it began, or never, which is the same as after everything else.
//
//	porcupine FILE   exit status 0: linearizable; 3: not; 1: cannot tell
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	timeout   = 120 * time.Second // for each object
	lineLimit = 64 << 20          // octets
)

// entry is one entry of a log: [seq, epoch, kind, key, digest].
type entry struct {
	Seq, Epoch        int
	Kind, Key, Digest string
}

func (e *entry) UnmarshalJSON(octets []byte) error {
	return json.Unmarshal(octets, &[]any{&e.Seq, &e.Epoch, &e.Kind, &e.Key, &e.Digest})
}

// text is how an entry stands in the state of a log.
func (e entry) text() string { return fmt.Sprintf("%s %d %s %s\n", e.Key, e.Epoch, e.Kind, e.Digest) }

type answer struct {
	Is       string // acked, stale, refused, batch, done, claimed
	Seq      int
	Epoch    int
	Head     int
	More     bool
	Entries  []entry
	Packages []string
}

type record struct {
	Op         string // append, read, publish, claim, final
	Process    string
	Invoked    int64
	Returned   *int64
	Group      string
	Epoch      int
	Kind       string
	Key        string
	Digest     string
	After      int
	Packages   []string
	LastResort string `json:"last_resort"`
	Entries    []entry
	Answer     *answer
}

// log is a group: its entries in order, one line each, and the epoch in which it is.
type log struct {
	lines string
	head  int
	epoch int
}

// place is the number under which a key stands, 0 if it does not.
func (l log) place(key string) int {
	at := strings.Index(l.lines, key+" ")
	if at < 0 {
		return 0
	}
	return strings.Count(l.lines[:at], "\n") + 1
}

func (l log) with(r record) log {
	next := entry{Epoch: r.Epoch, Kind: r.Kind, Key: r.Key, Digest: r.Digest}
	epoch := l.epoch
	if r.Kind == "commit" {
		epoch++
	}
	return log{l.lines + next.text(), l.head + 1, epoch}
}

var groups = porcupine.Model{
	Init: func() any { return log{} },
	Step: func(state, input, output any) (bool, any) {
		before, asked, answered := state.(log), input.(record), output.(*answer)
		if asked.Op == "read" {
			return answered == nil || before.shows(asked.After, *answered), before
		}
		return before.append(asked, answered)
	},
}

// append is the register: the first of a key's attempts in the current epoch adds, and every later one repeats its answer.
func (l log) append(asked record, answered *answer) (bool, any) {
	place := l.place(asked.Key)
	after := l
	if place == 0 && asked.Epoch == l.epoch {
		after = l.with(asked)
		place = after.head
	}
	switch {
	case answered == nil:
		return true, after
	case answered.Is == "acked":
		return place == answered.Seq && asked.Epoch == answered.Epoch, after
	case answered.Is == "stale":
		return place == 0 && asked.Epoch < l.epoch && answered.Epoch == l.epoch && answered.Head == l.head, l
	default: // refused for a reason of its own: without effect
		return true, l
	}
}

func (l log) shows(cursor int, batch answer) bool {
	if batch.Is != "batch" {
		return true
	}
	var shown strings.Builder
	for _, e := range batch.Entries {
		shown.WriteString(e.text())
	}
	lines := strings.SplitAfter(l.lines, "\n")
	end := cursor + len(batch.Entries)
	return batch.Head == l.head && end <= l.head && batch.More == (end < l.head) &&
		strings.Join(lines[cursor:end], "") == shown.String()
}

// A key package is unknown, then there, then taken.
const (
	unknown = iota
	there
	taken
)

var packages = porcupine.Model{
	Init: func() any { return unknown },
	Step: func(state, input, _ any) (bool, any) {
		if input.(record).Op == "claim" {
			return state.(int) == there, taken
		}
		return true, max(state.(int), there)
	},
}

func main() {
	if len(os.Args) != 2 {
		fail(fmt.Errorf("usage: porcupine FILE"))
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		fail(err)
	}
	defer file.Close()
	records, err := read(file)
	if err != nil {
		fail(err)
	}
	status := max(judge("group", groups, byGroup(records)), judge("key package", packages, byPackage(records)))
	os.Exit(status)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

func read(from io.Reader) ([]record, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, lineLimit)
	var records []record
	for number := 1; lines.Scan(); number++ {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		records = append(records, r)
	}
	return records, lines.Err()
}

// byGroup makes one operation of all attempts without an answer and the first acknowledged one of a key: left alone, each
// lost answer would double what there is to search. Attempts for a key that no log ends with are left out, since they may
// have had no effect.
func byGroup(records []record) map[string][]porcupine.Operation {
	objects := map[string][]porcupine.Operation{}
	attempts, kept := map[string][]int{}, map[string]bool{}
	for client, r := range records {
		switch {
		case r.Op == "final":
			for _, e := range r.Entries {
				kept[e.Key] = true
			}
		case r.Op == "append" && (r.Answer == nil || r.Answer.Is == "acked"):
			attempts[r.Key] = append(attempts[r.Key], client)
		case (r.Op == "append" || r.Op == "read") && r.Answer != nil:
			objects[r.Group] = append(objects[r.Group], operation(client, r))
		}
	}
	for key, clients := range attempts {
		first := records[clients[0]]
		rest := merge(records, clients, &first)
		if first.Answer == nil && !kept[key] {
			continue
		}
		objects[first.Group] = append(objects[first.Group], operation(clients[0], first))
		for _, client := range rest {
			objects[first.Group] = append(objects[first.Group], operation(client, records[client]))
		}
	}
	return objects
}

// merge lets `into` begin with the earliest of the attempts and end with the first acknowledgement; it gives the attempts
// that were acknowledged later.
func merge(records []record, clients []int, into *record) []int {
	end := -1
	for _, client := range clients {
		r := records[client]
		into.Invoked = min(into.Invoked, r.Invoked)
		if r.Returned != nil && (end < 0 || *r.Returned < *records[end].Returned) {
			end = client
		}
	}
	var rest []int
	for _, client := range clients {
		if client != end && records[client].Returned != nil {
			rest = append(rest, client)
		}
	}
	if end >= 0 {
		into.Returned, into.Answer = records[end].Returned, records[end].Answer
	}
	return rest
}

func byPackage(records []record) map[string][]porcupine.Operation {
	objects := map[string][]porcupine.Operation{}
	many := map[string]bool{}
	for client, r := range records {
		many[r.LastResort] = true
		refs := r.Packages
		if r.Op == "claim" && r.Answer != nil {
			refs = r.Answer.Packages
		} else if r.Op != "publish" || r.Answer != nil && r.Answer.Is == "refused" {
			continue
		}
		for _, ref := range refs {
			objects[ref] = append(objects[ref], operation(client, r))
		}
	}
	for ref := range many {
		delete(objects, ref)
	}
	return objects
}

func operation(client int, r record) porcupine.Operation {
	end := int64(math.MaxInt64)
	if r.Returned != nil {
		end = *r.Returned
	}
	return porcupine.Operation{ClientId: client, Input: r, Call: r.Invoked, Output: r.Answer, Return: end}
}

// judge prints what was found, and gives the exit status that it amounts to.
func judge(what string, model porcupine.Model, objects map[string][]porcupine.Operation) int {
	names, operations, status := make([]string, 0, len(objects)), 0, 0
	for name := range objects {
		names = append(names, name)
		operations += len(objects[name])
	}
	sort.Strings(names)
	for _, name := range names {
		switch porcupine.CheckOperationsTimeout(model, objects[name], timeout) {
		case porcupine.Illegal:
			fmt.Printf("NOT LINEARIZABLE: %s %s, %d operations\n", what, name, len(objects[name]))
			status = 3
		case porcupine.Unknown:
			fmt.Printf("not decided within %v: %s %s, %d operations\n", timeout, what, name, len(objects[name]))
			status = max(status, 1)
		}
	}
	fmt.Printf("%s: %d objects, %d operations judged\n", what, len(names), operations)
	return status
}
