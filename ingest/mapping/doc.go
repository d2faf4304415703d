// Package mapping takes JSON of any form and makes events of it by rules from
// the configuration, so that a tool that we have never heard of needs a few
// lines of YAML and no code.
//
// The rules are jq expressions, because most people who get webhooks to work
// know jq already and can try an expression on a sample without us. An
// expression sees its part of the message and nothing else: no environment, no
// files, no modules, no further input. Its run ends with the context, and each
// message has one deadline in all, so a rule that runs for ever costs one
// answer.
//
// Absent is null: an expression that gives null or nothing sets nothing. Text
// stays as it is; numbers keep the digits they were sent with, true and false
// become these words. Lists and objects are no value for a label: guessing a
// text for one would change the alert's identity with its order.
//
// [DryRun] shows what a mapping makes of a sample and which parts of the sample
// made no difference, so that nothing is ignored unseen.
package mapping
