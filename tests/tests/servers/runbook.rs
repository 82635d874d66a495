//! The commands of the runbook that remove all entries of a function: as they stand there, on the stores themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use cachier::{cachier, global_params, set_global_params};
use cachier_tests::callers::runtime;
use mongodb::bson::doc;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, SqliteConnection};

use crate::store::{Store, Subject, unique};

crate::on_stores!([file: File, redis: Redis, sqlite: Sqlite, postgres: Postgres, mariadb: MariaDb, mongo: Mongo] {
    commands_remove_one_function_and_no_other
});

const RUNBOOK: &str = include_str!("../../../cachier/src/guide/runbook.md");

#[cachier(backend = registered("store"), name = "shop::user")]
fn user(id: u64) -> u64 {
    id
}

#[cachier(backend = registered("store"), name = "shop::users")]
fn users(id: u64) -> u64 {
    id
}

/// The command of a row, for the function of these tests.
fn command(row: &str, namespace: &str) -> String {
    let rows = RUNBOOK.lines().map(str::trim);
    let mut rows = rows.filter_map(|line| line.strip_prefix(&format!("| {row} | ")));
    let row = rows.next_back().expect("the runbook has a row for it");
    let command = row.split('`').nth(1).expect("it has a command");
    let command = command.replace(r"\|", "|");
    assert!(command.contains("default/shop"), "{command}");
    command.replace("default/shop", &format!("{namespace}/cachier-tests"))
}

fn commands_remove_one_function_and_no_other(subject: &Subject) {
    let namespace = unique("runbook");
    set_global_params(global_params().namespace(namespace.clone()));
    for id in 0..3 {
        user(id);
        users(id);
    }
    remove(subject, &namespace);
    for id in 0..3 {
        assert_eq!(user::peek(id).unwrap(), None);
        assert_eq!(users::peek(id).unwrap(), Some(id));
    }
    // The function goes on as before.
    assert_eq!(user(1), 1);
    assert_eq!(user::peek(1).unwrap(), Some(1));
}

fn remove(subject: &Subject, namespace: &str) {
    let address = &*subject.address;
    match subject.store {
        Store::File => {
            let folder = Path::new(address).join(command("files", namespace));
            fs::remove_dir_all(folder).unwrap();
        }
        Store::Redis => {
            let client = format!("redis-cli -u {address}");
            let line = command("Redis", namespace).replace("redis-cli", &client);
            let done = Command::new("sh").args(["-c", &line]).output().unwrap();
            assert!(done.status.success(), "{done:?}");
        }
        Store::Mongo => {
            runtime().block_on(remove_in_mongo(address, &command("MongoDB", namespace)))
        }
        store => runtime().block_on(remove_in_sql(store, address, command("SQL", namespace))),
    }
}

async fn remove_in_sql(store: Store, address: &str, statement: String) {
    let statement = sqlx::raw_sql(AssertSqlSafe(statement));
    let removed = match store {
        Store::Postgres => {
            let mut connection = PgConnection::connect(address).await.unwrap();
            statement
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected()
        }
        Store::MariaDb => {
            let mut connection = MySqlConnection::connect(address).await.unwrap();
            statement
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected()
        }
        _ => {
            let mut connection = SqliteConnection::connect(address).await.unwrap();
            statement
                .execute(&mut connection)
                .await
                .unwrap()
                .rows_affected()
        }
    };
    assert_eq!(removed, 3);
}

/// There is no shell of MongoDB in the packages: what the command asks the server for.
async fn remove_in_mongo(address: &str, command: &str) {
    let filter = command
        .strip_prefix("db.cachier_entries.deleteMany({ function: '")
        .and_then(|rest| rest.strip_suffix("' })"))
        .expect("it is a filter by function");
    let client = mongodb::Client::with_uri_str(address).await.unwrap();
    let database = client.default_database();
    let database = database.unwrap_or_else(|| client.database("cachier"));
    let entries = database.collection::<mongodb::bson::Document>("cachier_entries");
    let removed = entries
        .delete_many(doc! { "function": filter })
        .await
        .unwrap();
    assert_eq!(removed.deleted_count, 3);
}
