#![doc = include_str!("guide/index.md")]

pub mod analytics {
    #![doc = include_str!("guide/analytics.md")]
    #![doc = "\n# What the page looks like\n\nOf a program with eight functions, and of one of them:\n"]
    #![doc = include_str!("guide/pictures/page.html")]
    #![doc = include_str!("guide/pictures/page_function.html")]
}
pub mod choosing_a_backend {
    #![doc = include_str!("guide/choosing_a_backend.md")]
}
pub mod comparison {
    #![doc = include_str!("guide/comparison.md")]
}
pub mod configuration {
    #![doc = include_str!("guide/configuration.md")]
}
pub mod design {
    #![doc = include_str!("guide/design.md")]
}
pub mod exporters {
    #![doc = include_str!("guide/exporters.md")]
}
pub mod freshness_and_failure {
    #![doc = include_str!("guide/freshness_and_failure.md")]
}
pub mod getting_started {
    #![doc = include_str!("guide/getting_started.md")]
}
pub mod hazards {
    #![doc = include_str!("guide/hazards.md")]
}
pub mod keys_and_identity {
    #![doc = include_str!("guide/keys_and_identity.md")]
}
pub mod methods_and_generics {
    #![doc = include_str!("guide/methods_and_generics.md")]
}
pub mod migrating {
    #![doc = include_str!("guide/migrating.md")]
}
pub mod operations {
    #![doc = include_str!("guide/operations.md")]
}
pub mod runbook {
    #![doc = include_str!("guide/runbook.md")]
}
pub mod sharing_by_machines {
    #![doc = include_str!("guide/sharing_by_machines.md")]
}
pub mod terminal {
    #![doc = include_str!("guide/terminal.md")]
    #![doc = "\n# What it looks like\n\nThe table, and a function's details:\n"]
    #![doc = include_str!("guide/pictures/top.svg")]
    #![doc = ""]
    #![doc = include_str!("guide/pictures/top_details.svg")]
}
pub mod testing {
    #![doc = include_str!("guide/testing.md")]
}
