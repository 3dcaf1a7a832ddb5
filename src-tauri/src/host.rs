//! The till behind the window.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser;
use dcb::{EventStore, Json};
use dcb_file::{FileStore, Options};
use pos::{TillId, UserId};
use till::staff::owner;
use till::{Operation, SystemClock, Till, TillError, data_folder};
use uuid::Uuid;

/// A till in a window.
#[derive(Clone, Debug, Parser)]
#[command(name = "opossum-pos", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// The shop's folder; its events are in DIR/store. By default this user's data folder
    #[arg(long, value_name = "DIR", env = "OPOSSUM_DATA")]
    data: Option<PathBuf>,
    /// Which till this is: receipts are numbered, and shifts opened, for each by itself
    #[arg(long, value_name = "ID", default_value = "T1", value_parser = |id: &str| TillId::new(id))]
    till: TillId,
    /// Lets the shop's owner be at the till, who needs no PIN and may do everything, under this
    /// name. Else the staff signs in, if any of them has a PIN
    #[arg(long, value_name = "NAME", value_parser = |id: &str| UserId::new(id))]
    owner: Option<UserId>,
    /// Make the shop a demo shop if nothing ever happened in it
    #[arg(long)]
    demo: bool,
}

/// The till behind the window, opened when it is first needed.
///
/// So the window comes up at once, and what keeps the till from opening (a damaged folder, another
/// process that is at this till) is told there, as the answer to a call. Every further call tries
/// again: the window comes to life when the trouble is over.
pub(crate) struct Host {
    arguments: Arguments,
    opened: Mutex<Option<Arc<Opened>>>,
}

/// A till that this process is the host of.
struct Opened {
    till: Till,
    store: Arc<FileStore>,
}

impl Host {
    pub(crate) fn new(arguments: Arguments) -> Self {
        Self { arguments, opened: Mutex::default() }
    }

    /// Calls an operation of the till by name, from JSON to JSON. It blocks.
    pub(crate) fn call(&self, name: &str, input: &str) -> Result<Json, TillError> {
        self.with_till(|till| Operation::find(name)?.run(till, input))
    }

    /// Opens the till, and builds the views that its first screen looks at. What keeps it from
    /// opening is told when the window asks.
    pub(crate) fn get_ready(&self) {
        let _ = self.with_till(|till| {
            till.get_ready();
            Ok(())
        });
    }

    /// Closes the store well, if it is open. Calls that come later are still answered.
    pub(crate) fn close(&self) {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(error)) = opened.as_ref().map(|opened| opened.store.sync()) {
            log::error!("the store could not be closed well: {error}");
        }
    }

    /// Runs `work` on the till, which is opened if it is not open yet. It blocks.
    pub(crate) fn with_till<T>(
        &self,
        work: impl FnOnce(&Till) -> Result<T, TillError>,
    ) -> Result<T, TillError> {
        let opened = {
            // What is behind the lock is set in one step, so a panic leaves no half of it.
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            match &*opened {
                Some(opened) => Arc::clone(opened),
                None => Arc::clone(opened.insert(Arc::new(self.arguments.open()?))),
            }
        };
        work(&opened.till)
    }

    /// The name by which the system knows the app on this shop: `app` itself on this user's own
    /// shop, and for a shop in another folder a name made of that.
    pub(crate) fn identifier(&self, app: &str) -> String {
        match &self.arguments.data {
            None => app.to_owned(),
            Some(data) => {
                let data = std::path::absolute(data).unwrap_or_else(|_| data.clone());
                let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, data.as_os_str().as_encoded_bytes());
                format!("{app}.shop-{}", id.simple())
            }
        }
    }
}

impl Arguments {
    /// Opens the till on the shop's store. This user's own is made if it is missing, and so is that
    /// of the demo; another folder that was named may be misspelt.
    fn open(&self) -> Result<Opened, TillError> {
        let data = data_folder(self.data.as_deref())?;
        if self.data.is_some() && !self.demo && !data.join("store").exists() {
            return Err(TillError::no_shop_in(&data));
        }
        let store = Arc::new(FileStore::open_or_create(data.join("store"), Options::default())?);
        let owner = self.owner.clone().unwrap_or_else(owner);
        let clock = SystemClock::beside(Arc::clone(&store) as _);
        let till = Till::open(Arc::clone(&store) as _, clock, self.till.clone(), owner);
        let mut till = till.hosted_in(&data)?;
        if let Some(recovery) = store.recovery() {
            log::warn!("the store was recovered: {recovery:?}");
        }
        for damage in store.damage() {
            log::error!("the store is damaged: {damage:?}");
        }
        if self.demo && store.head()? == 0 {
            till::demo::demo(&till)?;
        }
        if self.owner.is_none() {
            till = till.signed_out_if_anyone_can_sign_in();
        }
        log::info!("till {} is open on {}", self.till, data.display());
        Ok(Opened { till, store })
    }
}
