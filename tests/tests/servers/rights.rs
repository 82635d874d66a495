//! A read-only user is served what is stored, and no call of his fails.

use cachier::{CallOptions, ErrorKind, Outcome};
use cachier_metrics::{ErrorLabel, Operation};
use cachier_servers::s3::Place;
use cachier_tests::callers::{Callers, runtime};
use cachier_tests::double;
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};

use crate::store::{Store, Subject};

crate::on_every_server! { a_read_only_user_is_served }
crate::on_stores!([s3: S3, sqlite: Sqlite] { a_read_only_user_is_served });

double!(backend = registered("store"), enable_metrics);

fn a_read_only_user_is_served(subject: &Subject) {
    let (own, _server);
    let subject = if subject.store == Store::Mongo {
        // Only a server with authentication has rights to grant.
        let Some(server) = guarded_mongo::server() else {
            return;
        };
        own = subject.elsewhere(guarded_mongo::address(&server));
        _server = server;
        &own
    } else {
        subject
    };
    subject.register();
    assert_eq!(double(1), 2);
    subject.register_at(&reader(subject));
    let call = |number| double::call_detailed(CallOptions::new(), number);
    let served = call(1);
    assert_eq!(
        (served.value, served.outcome),
        (2, Outcome::Hit),
        "{served}"
    );

    let denied = call(2);
    assert_eq!(
        (denied.value, denied.outcome),
        (4, Outcome::Unavailable),
        "{denied}"
    );
    assert_eq!(denied.backend_error.unwrap().kind(), ErrorKind::Denied);
    let callers = Callers::new().on_threads(20, || double(3));
    assert!(callers.values().iter().all(|value| *value == 6));
    let errors = double::metrics().snapshot().backend_errors;
    assert!(errors[Operation::Lease][ErrorLabel::Denied] >= 2);
    assert_eq!(
        errors
            .values()
            .flat_map(|kinds| kinds.values())
            .sum::<u64>(),
        errors[Operation::Lease][ErrorLabel::Denied]
    );
    assert_eq!(double::invalidate(1).unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(call(1).outcome, Outcome::Hit, "what works is still used");
    // A check does what a call does, and is denied as that is.
    let checked = cachier::check().remove(0);
    let denied = checked.error.map(|error| error.kind());
    assert_eq!((&*checked.name, denied), ("store", Some(ErrorKind::Denied)));
}

/// The store's address for a read-only user.
fn reader(subject: &Subject) -> String {
    let address = &subject.address;
    match subject.store {
        Store::S3 => {
            let mut place = Place::parse(address).unwrap();
            // Known to the server.
            place.access_key = "reader".to_owned();
            place.secret = "the-secret-of-the-reader".to_owned();
            place.url()
        }
        Store::Sqlite => format!("{address}?mode=ro"),
        Store::Redis => {
            make_reader_of_redis(address);
            of("reader:pw", address)
        }
        Store::Postgres => {
            make_reader_of_postgres(address);
            of("reading:pw", address)
        }
        Store::MariaDb => {
            make_reader_of_mariadb(address);
            of("reading:pw", address)
        }
        Store::Mongo => of(guarded_mongo::READER, address).replace("?authSource=admin", ""),
        store => unreachable!("the rights of {store:?} are not tried here"),
    }
}

/// The address for this user.
fn of(user: &str, address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap();
    let server = rest.split_once('@').map_or(rest, |(_, server)| server);
    format!("{scheme}://{user}@{server}")
}

fn make_reader_of_redis(address: &str) {
    let mut client = ::redis::Client::open(address).unwrap();
    let rights = "SETUSER reader on >pw ~cachier:* +@read +@connection";
    let rights: Vec<_> = rights.split(' ').collect();
    let mut command = ::redis::cmd("ACL");
    command.arg(&rights).query::<()>(&mut client).unwrap();
}

fn make_reader_of_postgres(address: &str) {
    // An existing server may know the user already.
    let user = "DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'reading') \
                THEN DROP OWNED BY reading; DROP ROLE reading; END IF; END $$; \
                CREATE ROLE reading LOGIN PASSWORD 'pw'; \
                GRANT SELECT ON cachier_entries, cachier_entries_schema TO reading";
    runtime().block_on(async {
        let mut connection = PgConnection::connect(address).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(user)).execute(&mut connection);
        done.await.unwrap();
    });
}

fn make_reader_of_mariadb(address: &str) {
    let user = "CREATE OR REPLACE USER reading@'%' IDENTIFIED BY 'pw'; \
                GRANT SELECT ON cachier_entries TO reading@'%'; \
                GRANT SELECT ON cachier_entries_schema TO reading@'%'";
    runtime().block_on(async {
        let mut connection = MySqlConnection::connect(address).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(user)).execute(&mut connection);
        done.await.unwrap();
    });
}

mod guarded_mongo {
    use cachier_servers::{StoreServer, free_port};
    use cachier_tests::callers::runtime;
    use mongodb::Client;
    use mongodb::bson::doc;

    const ADMIN: &str = "admin:pw";
    pub(super) const READER: &str = "reader:pw";

    /// The server's address for the user with all rights.
    pub(super) fn address(server: &StoreServer) -> String {
        super::of(ADMIN, server.url()) + "?authSource=admin"
    }

    /// A server with authentication, a user with all rights and one who may only read.
    pub(super) fn server() -> Option<StoreServer> {
        let server = cachier_servers::mongo::start_private(free_port(), &["--auth"])?;
        let user = |name: &str, role: &str, database: &str| {
            doc! { "createUser": name, "pwd": "pw", "roles": [{ "role": role, "db": database }] }
        };
        runtime().block_on(async {
            // The first user may be created locally without authentication.
            let client = Client::with_uri_str(server.url()).await.unwrap();
            let database = client.database("admin");
            let made = database.run_command(user("admin", "root", "admin"));
            made.await.unwrap();
            let client = Client::with_uri_str(address(&server)).await.unwrap();
            let database = client.database("cachier");
            let made = database.run_command(user("reader", "read", "cachier"));
            made.await.unwrap();
        });
        Some(server)
    }
}
