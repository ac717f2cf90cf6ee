# Accounts come before the stages: each is named in the policies of the topics
# of others.

resource "google_service_account" "stage" {
  for_each = module.plan.stages

  account_id   = each.value.account
  display_name = "Segue: the stage ${each.key}"
  project      = local._project_id
}

resource "google_service_account" "push" {
  account_id   = "${module.plan.prefix}-push"
  display_name = "Segue: pushes of Pub/Sub"
  project      = local._project_id
}

locals {
  _pubsub_agent = "serviceAccount:${local._agents.pubsub}"
  _push_account = {
    email  = google_service_account.push.email
    member = google_service_account.push.member
  }

  # Topic -> stage -> member.
  _publishers = {
    for topic, stages in module.plan.publishers : topic => {
      for stage in stages : stage => google_service_account.stage[stage].member
    }
  }
}
