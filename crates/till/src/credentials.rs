//! How the staff shows who they are: PINs, and the key that hides names in the log.
//!
//! Neither is part of the shop's history, which many may read and nobody can take back. They are
//! files of mode 0600 beside the store: `staff/pins.json` has an Argon2id hash of each PIN, so that
//! a lost file gives no PIN away at once, and how often it was tried in vain; `staff/names.key` the
//! secret. Each try is counted on disk before the PIN is looked at, so that ending the program
//! between tries gains nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use chrono::{DateTime, TimeDelta, Utc};
use fs4::FileExt;
use pos::{NameKey, NextAction, Refusal, RefusalCode, UserId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::folder::{private, replace};
use crate::{Fault, TillError};

/// The fewest digits a PIN has.
pub const MIN_PIN_DIGITS: usize = 4;
/// The most digits a PIN has.
pub const MAX_PIN_DIGITS: usize = 12;
/// How often a PIN may be wrong in a row before it is locked.
const TRIES: u32 = 3;
/// How long a PIN is locked at first, in seconds; with every further failure twice as long.
const FIRST_LOCK_S: i64 = 30;
/// How long it is locked at most, in seconds.
const MAX_LOCK_S: i64 = 3_600;

/// A PIN as it was entered. It is shown nowhere and written nowhere.
#[derive(Clone, PartialEq, Eq, Deserialize, TS)]
#[serde(try_from = "String")]
#[ts(type = "string")]
pub struct Pin(String);

impl Pin {
    /// Reads a PIN: [`MIN_PIN_DIGITS`] to [`MAX_PIN_DIGITS`] digits.
    pub fn new(text: &str) -> Result<Self, InvalidPin> {
        let is_good = (MIN_PIN_DIGITS..=MAX_PIN_DIGITS).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_good { Ok(Self(text.to_owned())) } else { Err(InvalidPin) }
    }
}

impl TryFrom<String> for Pin {
    type Error = InvalidPin;

    fn try_from(text: String) -> Result<Self, InvalidPin> {
        Self::new(&text)
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(secret)")
    }
}

/// A text that is no PIN; it is not repeated, for it may nearly be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a PIN has {MIN_PIN_DIGITS} to {MAX_PIN_DIGITS} digits and nothing else")]
pub struct InvalidPin;

/// What is kept about a PIN.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Kept {
    /// Its Argon2id hash, with salt and parameters.
    hash: String,
    /// How often in a row it was wrong.
    #[serde(default)]
    failures: u32,
    /// Until when nobody may try it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked_until: Option<DateTime<Utc>>,
    /// The PIN itself, where everybody is to see it: in a demo shop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<String>,
}

type Pins = BTreeMap<UserId, Kept>;

/// The PINs and the key of a shop's staff.
pub(crate) struct Credentials(Mutex<Place>);

enum Place {
    /// For as long as the till is open.
    Memory(Pins, Option<[u8; 32]>),
    /// In this folder, which other processes use too.
    Folder(PathBuf),
}

impl Default for Credentials {
    fn default() -> Self {
        Self(Mutex::new(Place::Memory(Pins::new(), None)))
    }
}

impl Credentials {
    /// Those of the shop in this folder. Files are made when there is something to keep.
    pub(crate) fn in_folder(data: &Path) -> Self {
        Self(Mutex::new(Place::Folder(data.join("staff"))))
    }

    /// Gives someone a PIN, in place of one they had. `shown` lets everybody see it.
    pub(crate) fn set(&self, user: &UserId, pin: &Pin, shown: bool) -> Result<(), TillError> {
        let shown = shown.then(|| pin.0.clone());
        let kept = Kept { hash: hash(pin)?, failures: 0, locked_until: None, shown };
        self.change(|pins| drop(pins.insert(user.clone(), kept)))
    }

    /// Who has a PIN, and the PIN itself where everybody may see it.
    pub(crate) fn who_has_one(&self) -> Result<BTreeMap<UserId, Option<String>>, TillError> {
        Ok(self.read()?.into_iter().map(|(user, kept)| (user, kept.shown)).collect())
    }

    /// Refuses unless this is the person's PIN. After [`TRIES`] failures in a row it is locked,
    /// each time for longer.
    pub(crate) fn check(
        &self,
        user: &UserId,
        pin: &Pin,
        now: DateTime<Utc>,
    ) -> Result<(), TillError> {
        let tried = self.change(|pins| pins.get_mut(user).map(|kept| kept.count_try(now)))?;
        let tried = tried.unwrap_or_else(|| {
            let message = "This person has no PIN yet. Ask a manager to set one.";
            Err(Refusal::new(RefusalCode::PinWrong, message))
        })?;
        if !is_right(pin, &tried.hash) {
            return Err(tried.wrong(now).into());
        }
        self.change(|pins| {
            // Whoever changed the PIN meanwhile has set the count to zero already.
            if let Some(kept) = pins.get_mut(user).filter(|kept| kept.hash == tried.hash) {
                (kept.failures, kept.locked_until) = (0, None);
            }
        })
    }

    /// The key that hides names in the log, made when it is first needed.
    pub(crate) fn name_key(&self) -> Result<NameKey, TillError> {
        let fresh = || {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(io::Error::other)?;
            Ok::<_, io::Error>(key)
        };
        let key = match &mut *self.place() {
            Place::Memory(_, Some(key)) => Ok(*key),
            Place::Memory(_, key) => fresh().inspect(|fresh| *key = Some(*fresh)),
            Place::Folder(folder) => locked(folder, || {
                let path = folder.join("names.key");
                match fs::read_to_string(&path) {
                    Ok(text) => key_of(text.trim()).ok_or_else(|| {
                        io::Error::new(ErrorKind::InvalidData, "restore it from a backup")
                    }),
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        let key = fresh()?;
                        let text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                        replace(&path, text.as_bytes())?;
                        Ok(key)
                    }
                    Err(error) => Err(error),
                }
            })
            .map_err(|error| named(&folder.join("names.key"), error)),
        };
        key.map(NameKey::new).map_err(|error| failed(&error))
    }

    fn read(&self) -> Result<Pins, TillError> {
        match &*self.place() {
            Place::Memory(pins, _) => Ok(pins.clone()),
            Place::Folder(folder) => {
                read(&folder.join("pins.json")).map_err(|error| failed(&error))
            }
        }
    }

    /// Changes the PINs; the change is durable when this returns.
    fn change<T>(&self, change: impl FnOnce(&mut Pins) -> T) -> Result<T, TillError> {
        match &mut *self.place() {
            Place::Memory(pins, _) => Ok(change(pins)),
            Place::Folder(folder) => {
                let path = folder.join("pins.json");
                let changed = locked(folder, || {
                    let mut pins = read(&path)?;
                    let changed = change(&mut pins);
                    replace(&path, &serde_json::to_vec_pretty(&pins)?)?;
                    Ok(changed)
                });
                changed.map_err(|error| failed(&named(&path, error)))
            }
        }
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        // What is kept is replaced as a whole, so a panic elsewhere leaves no half of it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Counts a try before it is known whether it is right. Returns the PIN as it is tried.
    fn count_try(&mut self, now: DateTime<Utc>) -> Result<Self, Refusal> {
        // A lock that is longer than it was made is one from before the clock was set back.
        self.locked_until = self.locked_until.min(self.lock_from(now));
        if let Some(left) = self.locked_for(now) {
            return Err(locked_pin(left));
        }
        self.failures = self.failures.saturating_add(1);
        self.locked_until = self.lock_from(now);
        Ok(self.clone())
    }

    /// Until when so many failures lock it, if the last was now.
    fn lock_from(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let further = self.failures.checked_sub(TRIES)?;
        let seconds = FIRST_LOCK_S.saturating_mul(1 << further.min(16)).min(MAX_LOCK_S);
        now.checked_add_signed(TimeDelta::seconds(seconds))
    }

    /// What to say when the try was wrong.
    fn wrong(&self, now: DateTime<Utc>) -> Refusal {
        if let Some(left) = self.locked_for(now) {
            return locked_pin(left);
        }
        let left = TRIES.saturating_sub(self.failures);
        let message = format!("That is not the PIN. {left} more before it is locked.");
        Refusal::new(RefusalCode::PinWrong, message).left(left).action(NextAction::CorrectInput)
    }

    /// For how many seconds more nobody may try it.
    fn locked_for(&self, now: DateTime<Utc>) -> Option<u32> {
        let left = (self.locked_until? - now).num_milliseconds();
        u32::try_from(left.saturating_add(999) / 1_000).ok().filter(|left| *left > 0)
    }
}

fn locked_pin(left: u32) -> Refusal {
    let message = format!("The PIN was wrong too often. Try again in {left} s.");
    Refusal::new(RefusalCode::PinLocked, message).left(left).action(NextAction::Wait)
}

fn hash(pin: &Pin) -> Result<String, TillError> {
    let failed = |error: &dyn fmt::Display| {
        TillError::new(Fault::Io, format!("the PIN could not be hashed: {error}"))
    };
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| failed(&error))?;
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(&error))?;
    let hash = argon2().hash_password(pin.0.as_bytes(), &salt);
    Ok(hash.map_err(|error| failed(&error))?.to_string())
}

/// Argon2id as the library's authors advise (19 MiB, two passes); a hash says how it was made, so
/// that this may change. The tests of this crate sign in often and have no secrets.
fn argon2() -> Argon2<'static> {
    match cfg!(test) {
        true => Argon2::from(argon2::Params::new(8, 1, 1, None).unwrap_or_default()),
        false => Argon2::default(),
    }
}

fn is_right(pin: &Pin, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(pin.0.as_bytes(), &hash).is_ok())
}

fn read(path: &Path) -> io::Result<Pins> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(io::Error::from),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Pins::new()),
        Err(error) => Err(error),
    }
    .map_err(|error| named(path, error))
}

/// Works while no other process does.
fn locked<T>(folder: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    fs::create_dir_all(folder)?;
    let lock: File = private().truncate(false).open(folder.join("staff.lock"))?;
    FileExt::lock(&lock)?;
    work()
}

fn key_of(hex: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> = (0..hex.len())
        .step_by(2)
        .map(|at| hex.get(at..at + 2).and_then(|byte| u8::from_str_radix(byte, 16).ok()))
        .collect();
    bytes?.try_into().ok()
}

fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn failed(error: &io::Error) -> TillError {
    let message = format!("the staff's PINs cannot be used ({error})");
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
            TillError::new(Fault::Damaged, message)
        }
        _ => TillError::of_system(message, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn pin(digits: &str) -> Pin {
        Pin::new(digits).unwrap()
    }

    /// So many seconds past noon.
    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-06-01T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    fn code_and_left(result: Result<(), TillError>) -> (RefusalCode, Option<i64>) {
        let error = result.unwrap_err();
        (error.refusal().unwrap(), error.details.left)
    }

    #[test]
    fn a_pin_is_digits_and_is_never_shown() {
        for text in ["", "123", "12a4", "1234567890123", "१२३४"] {
            assert_eq!(Pin::new(text), Err(InvalidPin), "{text}");
        }
        assert_eq!(format!("{:?}", pin("1234")), "Pin(secret)");
    }

    #[test]
    fn the_right_pin_is_let_in_and_another_is_not() {
        let credentials = Credentials::default();
        credentials.set(&user("ann"), &pin("1234"), false).unwrap();
        credentials.check(&user("ann"), &pin("1234"), at(0)).unwrap();
        let wrong = credentials.check(&user("ann"), &pin("1235"), at(0));
        assert_eq!(code_and_left(wrong), (RefusalCode::PinWrong, Some(2)));
        let unknown = credentials.check(&user("ben"), &pin("1234"), at(0));
        assert_eq!(code_and_left(unknown), (RefusalCode::PinWrong, None));
    }

    #[test]
    fn wrong_pins_lock_it_each_time_for_longer_and_the_right_one_starts_afresh() {
        let credentials = Credentials::default();
        credentials.set(&user("ann"), &pin("1234"), false).unwrap();
        let check = |digits, now| credentials.check(&user("ann"), &pin(digits), at(now));
        for left in [2, 1] {
            assert_eq!(code_and_left(check("0000", 0)), (RefusalCode::PinWrong, Some(left)));
        }
        assert_eq!(code_and_left(check("0000", 0)), (RefusalCode::PinLocked, Some(30)));
        assert_eq!(code_and_left(check("1234", 29)), (RefusalCode::PinLocked, Some(1)));
        assert_eq!(code_and_left(check("0000", 30)), (RefusalCode::PinLocked, Some(60)));
        assert_eq!(code_and_left(check("0000", 90)), (RefusalCode::PinLocked, Some(120)));
        check("1234", 210).unwrap();
        assert_eq!(code_and_left(check("0000", 211)), (RefusalCode::PinWrong, Some(2)));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_lock_longer_than_it_was_made() {
        let credentials = Credentials::default();
        credentials.set(&user("ann"), &pin("1234"), false).unwrap();
        let check = |digits, now| credentials.check(&user("ann"), &pin(digits), at(now));
        (0..3).for_each(|_| drop(check("0000", 0)));
        let yesterday = -86_400;
        assert_eq!(code_and_left(check("1234", yesterday)), (RefusalCode::PinLocked, Some(30)));
        assert_eq!(code_and_left(check("1234", yesterday + 29)), (RefusalCode::PinLocked, Some(1)));
        check("1234", yesterday + 30).unwrap();
    }

    #[test]
    fn no_lock_is_longer_than_an_hour() {
        let hash = String::new();
        let mut kept = Kept { hash, failures: u32::MAX - 1, locked_until: None, shown: None };
        kept.count_try(at(0)).unwrap();
        kept.locked_until = None;
        kept.count_try(at(0)).unwrap();
        assert_eq!(kept.locked_for(at(0)), Some(3_600));
    }

    #[test]
    fn pins_and_key_are_files_of_this_user_alone_that_hold_no_pin() {
        let data = tempfile::tempdir().unwrap();
        let credentials = Credentials::in_folder(data.path());
        credentials.set(&user("ann"), &pin("8642"), false).unwrap();
        let key = format!("{:?}", key_of_shop(&credentials));
        let again = Credentials::in_folder(data.path());
        again.check(&user("ann"), &pin("8642"), at(0)).unwrap();
        assert_eq!(format!("{:?}", key_of_shop(&again)), key);
        for file in fs::read_dir(data.path().join("staff")).unwrap() {
            let file = file.unwrap();
            #[cfg(unix)]
            {
                use std::os::unix::fs::PermissionsExt;
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            }
            assert!(!fs::read_to_string(file.path()).unwrap().contains("\"8642\""), "{file:?}");
        }
    }

    /// Two keys are told apart by what they make of a name.
    fn key_of_shop(credentials: &Credentials) -> pos::AddStaff {
        pos::AddStaff::new("Ann", pos::Role::Cashier, &credentials.name_key().unwrap())
    }

    #[test]
    fn tries_of_several_processes_are_counted_together_and_survive_their_end() {
        let data = tempfile::tempdir().unwrap();
        let process = || Credentials::in_folder(data.path());
        process().set(&user("ann"), &pin("1234"), false).unwrap();
        let wrong = || process().check(&user("ann"), &pin("0000"), at(0));
        let codes: Vec<_> = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..4).map(|_| scope.spawn(wrong)).collect();
            tries.into_iter().map(|one| code_and_left(one.join().unwrap()).0).collect()
        });
        let locked = codes.iter().filter(|code| **code == RefusalCode::PinLocked).count();
        assert_eq!(locked, 2, "{codes:?}");
    }

    #[test]
    fn a_damaged_file_is_told_and_left_alone() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("staff/pins.json");
        fs::create_dir(data.path().join("staff")).unwrap();
        fs::write(&path, "{").unwrap();
        let credentials = Credentials::in_folder(data.path());
        let error = credentials.set(&user("ann"), &pin("1234"), false).unwrap_err();
        assert!(error.message.contains("pins.json"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "{");
    }
}
