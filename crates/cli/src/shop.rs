//! Which shop, which till, and who is at it: what `till` and `serve` are told alike.

use std::io::{IsTerminal, stdin};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use dcb_file::FileStore;
use pos::{StaffMember, TillId};
use till::staff::owner;
use till::{Pin, SystemClock, Till, TillError, data_folder};

use crate::Outcome;
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
    /// Who is at the till: an id or name of the staff, whose PIN is then read from standard input,
    /// or the shop's owner, who may do everything
    ///
    /// By default the owner, to whom the folder belongs; `serve` lets the staff sign in instead if
    /// any of them has a PIN.
    #[arg(long, value_name = "ID", global = true)]
    user: Option<String>,
}

impl AtShop {
    /// Opens the till on the shop's store, see [`Self::store`], with the owner or whom `--user`
    /// names at it.
    pub(crate) fn till(&self, make_if_missing: Option<Flush>) -> Result<Till, Failure> {
        let till = self.owners_till_on(Arc::new(self.store(make_if_missing)?))?;
        self.entered(till.in_folder(&data_folder(self.data.as_deref())?))
    }

    /// Makes this process the till's host, on this store of the shop. Whom `--user` names is at it,
    /// or else the staff signs in.
    pub(crate) fn hosted_till_on(&self, store: Arc<FileStore>) -> Result<Till, Failure> {
        let till = self.owners_till_on(store)?.hosted_in(&data_folder(self.data.as_deref())?)?;
        match self.user {
            Some(_) => self.entered(till),
            None => Ok(till.signed_out_if_anyone_can_sign_in()),
        }
    }

    fn owners_till_on(&self, store: Arc<FileStore>) -> Result<Till, Failure> {
        let id = TillId::new(&self.till).map_err(|e| Failure::bad_input(format!("--till: {e}")))?;
        let clock = SystemClock::beside(Arc::clone(&store) as _);
        Ok(Till::open(store, clock, id, owner()))
    }

    fn entered(&self, till: Till) -> Result<Till, Failure> {
        Ok(match &self.user {
            Some(user) => till.entered_by(user, read_pin)?,
            None => till,
        })
    }

    /// Opens the shop's store. Where it is missing it is made, for appends with this flush.
    pub(crate) fn store(&self, make_if_missing: Option<Flush>) -> Result<FileStore, Failure> {
        let data = data_folder(self.data.as_deref())?;
        let dir = data.join("store");
        match make_if_missing {
            Some(flush) if !dir.join("store.json").exists() => {
                Ok(FileStore::create(&dir, flush.into())?)
            }
            None if !dir.exists() => Err(TillError::no_shop_in(&data).into()),
            flush => open(&dir, flush.unwrap_or(Flush::On).into()),
        }
    }
}

/// Closes the store well after work that came to this. If both failed, both are told.
pub(crate) fn closed(store: &FileStore, outcome: Outcome) -> Outcome {
    let synced = store.sync();
    if let (Err(_), Err(error)) = (&outcome, &synced) {
        eprintln!("opossum: the store could not be closed well: {error}");
    }
    outcome.and(synced.map_err(Failure::from))
}

/// Asks for a PIN: at a terminal without showing it, else from the next line of standard input.
fn read_pin(member: &StaffMember) -> Result<Pin, TillError> {
    let prompt = format!("PIN of {}: ", member.name);
    let line = match stdin().is_terminal() {
        true => rpassword::prompt_password(prompt),
        false => {
            let mut line = String::new();
            stdin().read_line(&mut line).map(|_| line)
        }
    };
    let line = line.map_err(|error| {
        TillError::bad_request(format!("the PIN could not be read from standard input: {error}"))
    })?;
    Pin::new(line.trim()).map_err(|error| {
        TillError::bad_request(format!(
            "--user {:?} needs a PIN on standard input: {error}",
            member.name
        ))
    })
}
