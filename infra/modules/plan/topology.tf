# Topics and subscriptions; emulator/topology.py has the same for the local
# engines, and a test holds the two against each other.

locals {
  _topics = {
    for name, row in local._rows : name => (
      row.trigger == "topic" && row.topic != null
      ? "${local._prefix}-${row.topic}"
      : null
    )
  }
  _dead_letter_topics = {
    for name, row in local._rows : name => "${local._prefix}-${name}-dead"
    if row.trigger != "http"
  }

  # Short name -> the stage whose it is. A list, as a name may come twice.
  _owned = concat(
    [
      for name, row in local._subscribed :
      { topic = row.topic, stage = name } if row.topic != null
    ],
    [
      for name in keys(local._dead_letter_topics) :
      { topic = "${name}-dead", stage = name }
    ],
  )
  _owners = { for owned in local._owned : owned.topic => owned.stage... }

  # Neither filter nor ordering of a subscription can be changed. With a digest
  # of them in its name a change makes a new subscription beside the old one,
  # which keeps what waits in it.
  # A stage with priorities has a subscription for each: what waits in one keeps
  # nothing waiting in the others. Every message matches exactly one.
  _priorities = {
    high   = "attributes.\"segue-priority\" = \"high\""
    low    = "attributes.\"segue-priority\" = \"low\""
    normal = "NOT (attributes.\"segue-priority\" = \"high\" OR attributes.\"segue-priority\" = \"low\")"
  }
  _filters = {
    for name, row in local._rows : name => {
      for priority, filter in local._priorities : priority => (
        !row.priorities ? row.filter
        : row.filter == "" ? filter
        : "(${row.filter}) AND ${filter}"
      ) if row.priorities || priority == "normal"
    }
  }
  _suffixes = {
    for name, row in local._rows : name => {
      for priority, filter in local._filters[name] : priority => join("", [
        priority == "normal" ? "" : "-${priority}",
        filter == "" && !row.ordering
        ? ""
        : "-${substr(sha256("${filter}\n${row.ordering}"), 0, 8)}",
      ])
    }
  }

  # Stage -> priority -> subscription; without priorities, all is normal.
  _stage_subscriptions = {
    for name, row in local._subscribed : name => {
      for priority, filter in local._filters[name] : priority => {
        ack_deadline      = row.ack_deadline
        dead_letter_topic = local._dead_letter_topics[name]
        filter            = filter
        max_attempts      = row.max_attempts
        max_backoff       = row.max_backoff
        min_backoff       = row.min_backoff
        name              = "${local._prefix}-${name}${local._suffixes[name][priority]}"
        ordering          = row.ordering
        push_to           = name
        topic             = local._topics[name]
      }
    }
  }

  # Every dead-letter topic has a subscription: Pub/Sub drops what is sent to
  # a topic without one.
  _dead_letter_subscriptions = {
    for name, row in local._subscribed : name => {
      ack_deadline      = local._rows[local._bury].ack_deadline
      dead_letter_topic = local._dead_letter_topics[local._bury]
      filter            = ""
      max_attempts      = local._rows[local._bury].max_attempts
      max_backoff       = local._rows[local._bury].max_backoff
      min_backoff       = local._rows[local._bury].min_backoff
      name              = local._dead_letter_topics[name]
      ordering          = false
      push_to           = local._bury
      topic             = local._dead_letter_topics[name]
    } if local._bury != null
  }

  # What even the burying stage cannot take waits for an operator.
  _parking = try({
    ack_deadline      = 60
    dead_letter_topic = null
    filter            = ""
    max_attempts      = null
    max_backoff       = 600
    min_backoff       = 10
    name              = local._dead_letter_topics[local._bury]
    ordering          = false
    push_to           = null
    topic             = local._dead_letter_topics[local._bury]
  }, null)

  _subscriptions = concat(
    flatten([for each in values(local._stage_subscriptions) : values(each)]),
    values(local._dead_letter_subscriptions),
    local._parking == null ? [] : [local._parking],
  )
}
