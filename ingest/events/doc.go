// Package events is the door for our own JSON and for CloudEvents 1.0.
//
// Our own form is strict: a field that is not known is an error which names the
// known ones, because a misspelt "lables" that is passed over becomes an alert
// about nothing. In a batch the good events are taken and the bad ones listed.
//
// # How a CloudEvent becomes an event
//
// Its data is taken as our own form when it has an object "labels", or when its
// type is tocsin.event, and then strictly. Any other event follows these rules,
// so that a sender that has never heard of us is still of use:
//
//   - A change: the type, without a version at its end, ends in change,
//     changed, deployment or deployed, or it is a CDEvent about a service or an
//     environment. It starts at the event's time; the labels service and
//     environment come from the data, and service else from the subject.
//   - An alert: everything else. Its name is the type without a last word that
//     says its status, so that both ends of an alert have one name: firing,
//     opened, raised, triggered and alarm; resolved, closed, cleared,
//     recovered, ok and normal ("disk.full.ok" is disk.full, resolved). Without
//     such a word, or with alarm, the data's or the extension's status
//     decides; else it fires.
//   - CDEvents that are neither changes nor incidents, such as the start of a
//     pipeline, are rejected as unsupported: they would be alerts for ever.
//
// The alert's identity is source, type and subject, or, without a subject, the
// labels that say what it is about (host, service…). The id is not part of it:
// it becomes an annotation. So a second delivery of the same (source, id) says
// nothing new and is deduplicated, another event on the same subject revises
// the alert, and one with a resolved status ends it, whatever its data.
//
// That leaves one case out: without a subject, a resolution that does not
// repeat the labels of the firing (a bare "disk.full.resolved" after a
// "disk.full.firing" about a host) is about another alert, for nothing in it
// says which of several hosts it means. The alert then ends by its timeout.
// Senders give a subject, or the same host in both.
package events
