// Package learn proposes changes to the configuration from what people
// corrected, and says what each would have been worth.
//
// Who merges, splits or moves says what the engine got wrong; who handles an
// incident and leaves it as it is says what it got right. Both are needed: of
// corrections alone, a threshold of one point would mend every merge. What
// belongs to one occasion, all incidents that people's commands connect, is a
// [Case] with pairs of alerts that belong together or do not. The truth of a
// labelled set makes cases too, one for each true incident.
//
// [Run] replays the history without what operators did, once as it is
// configured and once for each proposal, which changes one thing. The cases of
// the first two thirds of the edits choose: from them come the rules that are
// proposed, and how proposals are ranked. Those of the last third judge, by
// [SignTest] over cases and not over pairs, because a single merge of two large
// incidents makes thousands of pairs and is still one opinion. How many
// proposals were tried is part of the report, for among many one always looks
// good.
//
// Nothing is applied. [Fragment] writes a proposal as a configuration for
// people to look at, to replay and to put in place.
//
// Two replays run at a time, each in goroutines of its own; all else is in that
// of the caller. The report is the same to the byte for the same history.
package learn
