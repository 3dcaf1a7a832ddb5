//! Which shop, which till, and who is at it: what `till` and `serve` are told alike.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dcb_file::FileStore;
use pos::{TillId, UserId};
use till::{SystemClock, Till};

use crate::failure::Failure;
use crate::store::{Flush, open};

#[derive(Args)]
pub(crate) struct AtShop {
    /// The shop's folder; its events are in DIR/store. By default this user's data folder
    #[arg(long, value_name = "DIR", global = true, env = "OPOSSUM_DATA")]
    data: Option<PathBuf>,
    /// Which till this is: receipts are numbered, and shifts opened, for each by itself
    #[arg(long, value_name = "ID", global = true, default_value = "T1")]
    till: String,
    /// Who is at the till
    #[arg(long, value_name = "ID", global = true, default_value = "cashier")]
    user: String,
}

impl AtShop {
    /// Opens the till on the shop's store; see [`Self::store`].
    pub(crate) fn till(&self, make_if_missing: Option<Flush>) -> Result<Till, Failure> {
        self.till_on(Arc::new(self.store(make_if_missing)?))
    }

    /// Opens the till on this store of the shop.
    pub(crate) fn till_on(&self, store: Arc<FileStore>) -> Result<Till, Failure> {
        let user =
            UserId::new(&self.user).map_err(|e| Failure::bad_input(format!("--user: {e}")))?;
        let till = Till::open(store, SystemClock, self.till_id()?, user);
        Ok(till.keeping_its_cart_in(&self.data_folder()?))
    }

    /// Which till this is.
    pub(crate) fn till_id(&self) -> Result<TillId, Failure> {
        TillId::new(&self.till).map_err(|e| Failure::bad_input(format!("--till: {e}")))
    }

    /// Opens the shop's store. Where it is missing it is made, for appends with this flush.
    pub(crate) fn store(&self, make_if_missing: Option<Flush>) -> Result<FileStore, Failure> {
        let data = self.data_folder()?;
        let dir = data.join("store");
        match make_if_missing {
            Some(flush) if !dir.join("store.json").exists() => {
                Ok(FileStore::create(&dir, flush.into())?)
            }
            None if !dir.exists() => Err(Failure::bad_input(format!(
                "there is no shop in {0}; make one with `opossum till --data {0} demo`",
                data.display()
            ))),
            flush => open(&dir, flush.unwrap_or(Flush::On).into()),
        }
    }

    /// The shop's folder.
    pub(crate) fn data_folder(&self) -> Result<PathBuf, Failure> {
        let of_this_user = || {
            let dirs = directories::ProjectDirs::from("", "", "opossum-pos")?;
            Some(dirs.data_dir().to_owned())
        };
        self.data.clone().or_else(of_this_user).ok_or_else(|| {
            Failure::bad_input("this user has no home folder; name the shop's folder with --data")
        })
    }
}
