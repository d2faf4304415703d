// Package notify tells people about incidents: it works off the outbox, in
// which the store keeps every notification owed until its receiver took it.
//
// [Plan] says which notifications a tick owes. It is pure, and what it returns
// is stored in the same transaction as the incidents themselves, so that there
// is never news without its notification. A [Notifier] then sends what is due,
// with one loop for each receiver, so that a receiver that is down holds up no
// other.
//
// A notification may come twice and is never lost: one that was taken while we
// were killed is sent again after the restart, with the same key. Those of one
// incident come in their order: the second waits until the first was taken or
// given up. Every attempt tells the revision that the notification is about,
// not the newest, with the alerts as they are at the time of the attempt.
//
// A new kind of receiver is a [Sender]: it makes its own message from a
// [Message] and says by the type of its error whether another attempt makes
// sense. Nothing else here needs to know of it.
package notify
