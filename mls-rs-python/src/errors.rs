//! One Python exception class per cause, and the Rust value that becomes one of them at the boundary.

use std::any::Any;
use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Arc;

use mls_rs::error::{AnyError, IntoAnyError, MlsError as Engine};
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    mls_rs,
    MlsError,
    PyException,
    "Root of all errors of this package. `code` is a stable short word."
);

macro_rules! causes {
    ($($kind:ident $class:ident $code:literal $doc:literal;)*) => {
        $(create_exception!(mls_rs, $class, MlsError, $doc);)*

        /// The cause of a failure; each has its own Python class.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind { $($kind),* }

        impl Kind {
            pub fn code(self) -> &'static str {
                match self { $(Kind::$kind => $code),* }
            }

            fn exception(self, message: String) -> PyErr {
                match self { $(Kind::$kind => $class::new_err(message)),* }
            }
        }

        /// Adds every exception class to the module and gives it its `code`.
        pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
            let py = module.py();
            let root = py.get_type::<MlsError>();
            root.setattr("code", "mls")?;
            module.add("MlsError", root)?;
            $(
                let class = py.get_type::<$class>();
                class.setattr("code", $code)?;
                module.add(stringify!($class), class)?;
            )*
            Ok(())
        }
    };
}

causes! {
    Malformed MalformedError "malformed" "Bytes that are no MLSMessage, ratchet tree or stored value.";
    WrongGroup WrongGroupError "wrong_group" "The message is for another group.";
    WrongEpoch WrongEpochError "wrong_epoch" "The message is for another epoch.";
    AlreadyRead AlreadyReadError "already_read" "The key of this generation was used and deleted.";
    TooFarAhead TooFarAheadError "too_far_ahead" "The generation is too far ahead of the last one read.";
    OwnMessage OwnMessageError "own_message" "One's own message came back.";
    CommitRequired CommitRequiredError "commit_required" "Proposals are cached: commit first (RFC 9420 §12.4).";
    InvalidSignature InvalidSignatureError "invalid_signature" "A signature or a membership tag does not verify.";
    InvalidConfirmation InvalidConfirmationError "invalid_confirmation" "The confirmation tag does not verify.";
    InvalidProposal InvalidProposalError "invalid_proposal" "A list of proposals breaks RFC 9420 §12.2.";
    NotAMember NotAMemberError "not_a_member" "No member at this leaf.";
    CredentialRefused CredentialRefusedError "credential_refused" "The validator refused, or a leaf repeats a key or an identity of the group; `__cause__` says why.";
    SuccessorRefused SuccessorRefusedError "successor_refused" "The new credential may not follow the old one.";
    KeyPackageNotFound KeyPackageNotFoundError "key_package_not_found" "None of the given secrets opens this Welcome.";
    MissingTree MissingTreeError "missing_tree" "The ratchet tree is neither in-band nor given.";
    MissingPsk MissingPskError "missing_psk" "A pre-shared key or an old epoch's secret is missing.";
    StalePending StalePendingError "stale_pending" "The pending commit belongs to another group or epoch.";
    Unsupported UnsupportedError "unsupported" "A version, suite, extension, credential or message kind that is not supported here.";
    Poisoned PoisonedError "poisoned" "An earlier error left this object unusable: load it again.";
    ReentrantCall ReentrantCallError "reentrant_call" "A callback called into the object that is waiting for it.";
    Engine EngineError "engine" "Anything else that mls-rs refused; the message names it.";
}

/// A refusal by the application's callback, carried through mls-rs as an `IdentityProvider` error.
#[derive(Clone)]
pub struct Refused {
    pub kind: Kind,
    pub message: &'static str,
    pub cause: Option<Arc<PyErr>>,
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message)
    }
}

impl std::error::Error for Refused {}

impl IntoAnyError for Refused {
    fn into_dyn_error(self) -> Result<Box<dyn std::error::Error + Send + Sync>, Self> {
        Ok(Box::new(self))
    }
}

/// Why a call failed, before it becomes a Python exception.
pub struct Failure {
    pub kind: Kind,
    code: String,
    message: String,
    cause: Option<Arc<PyErr>>,
    python: Option<Box<PyErr>>,
}

pub type Outcome<T> = Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: kind.code().into(),
            message: message.into(),
            cause: None,
            python: None,
        }
    }

    pub fn malformed(what: &str) -> Self {
        Self::new(Kind::Malformed, format!("not a well-formed {what}"))
    }

    /// An exception that is not ours and passes through unchanged, such as `KeyboardInterrupt`.
    pub fn python(error: PyErr) -> Self {
        let mut failure = Self::new(Kind::Engine, "interrupted");
        failure.python = Some(Box::new(error));
        failure
    }

    pub fn code(mut self, code: &str) -> Self {
        self.code = code.into();
        self
    }

    fn panicked(payload: Box<dyn Any + Send>) -> Self {
        drop(payload);
        Self::new(Kind::Engine, "internal error: a panic was caught").code("panic")
    }
}

/// Runs `work` and turns a panic into a failure: no panic crosses into Python.
pub fn caught<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(Failure::panicked(payload)))
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        if let Some(error) = failure.python {
            return *error;
        }
        Python::attach(|py| {
            let error = failure.kind.exception(failure.message);
            if let Some(cause) = failure.cause {
                error.set_cause(py, Some(cause.clone_ref(py)));
            }
            match error.value(py).setattr("code", failure.code) {
                Ok(()) => error,
                Err(other) => other,
            }
        })
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let mut failure = Self::new(refused.kind, refused.message);
        failure.cause = refused.cause;
        failure
    }
}

impl From<mls_rs::mls_rs_codec::Error> for Failure {
    fn from(error: mls_rs::mls_rs_codec::Error) -> Self {
        Self::from(Engine::from(error))
    }
}

fn from_identity_provider(error: AnyError) -> Failure {
    match error.inner_dyn_error().downcast_ref::<Refused>() {
        Some(refused) => refused.clone().into(),
        None => Failure::new(Kind::CredentialRefused, error.to_string()),
    }
}

impl From<Engine> for Failure {
    fn from(error: Engine) -> Self {
        if let Engine::IdentityProviderError(inner) = error {
            return from_identity_provider(inner);
        }
        let kind = kind_of(&error);
        let failure = Failure::new(kind, error.to_string());
        match kind {
            Kind::Engine | Kind::InvalidProposal | Kind::Unsupported => failure.code(&variant_name(&error)),
            _ => failure,
        }
    }
}

fn kind_of(error: &Engine) -> Kind {
    use Engine as E;
    match error {
        E::GroupIdMismatch => Kind::WrongGroup,
        E::InvalidEpoch | E::EpochNotFound => Kind::WrongEpoch,
        E::KeyMissing(_) => Kind::AlreadyRead,
        E::InvalidFutureGeneration(_) => Kind::TooFarAhead,
        E::CantProcessMessageFromSelf => Kind::OwnMessage,
        E::CommitRequired => Kind::CommitRequired,
        E::InvalidSignature | E::InvalidMembershipTag => Kind::InvalidSignature,
        E::InvalidConfirmationTag => Kind::InvalidConfirmation,
        E::MemberNotFound | E::LeafNotFound(_) => Kind::NotAMember,
        E::DuplicateLeafData(_) => Kind::CredentialRefused,
        E::InvalidSuccessor | E::ExternalCommitRemovesOtherIdentity => Kind::SuccessorRefused,
        E::WelcomeKeyPackageNotFound => Kind::KeyPackageNotFound,
        E::RatchetTreeNotFound => Kind::MissingTree,
        E::MissingRequiredPsk | E::OldGroupStateNotFound => Kind::MissingPsk,
        other if is_unsupported(other) => Kind::Unsupported,
        other if is_proposal_rule(other) => Kind::InvalidProposal,
        _ => Kind::Engine,
    }
}

fn is_unsupported(error: &Engine) -> bool {
    use Engine as E;
    matches!(
        error,
        E::UnsupportedProtocolVersion(_)
            | E::UnsupportedCipherSuite(_)
            | E::CipherSuiteMismatch
            | E::ProtocolVersionMismatch
            | E::UnexpectedMessageType
            | E::UnsupportedGroupExtension(_)
            | E::UnsupportedCustomProposal(_)
            | E::RequiredExtensionNotFound(_)
            | E::RequiredProposalNotFound(_)
            | E::RequiredCredentialNotFound(_)
            | E::InUseCredentialTypeUnsupportedByNewLeaf
            | E::CredentialTypeOfNewLeafIsUnsupported
    )
}

fn is_proposal_rule(error: &Engine) -> bool {
    use Engine as E;
    matches!(
        error,
        E::InvalidCommitSelfUpdate
            | E::InvalidTypeOrUsageInPreSharedKeyProposal
            | E::InvalidPskNonceLength
            | E::InvalidProtocolVersionInReInit
            | E::MoreThanOneProposalForLeaf(_)
            | E::MoreThanOneGroupContextExtensionsProposal
            | E::InvalidProposalTypeForSender
            | E::ExternalCommitMustHaveExactlyOneExternalInit
            | E::ExternalCommitMustHaveNewLeaf
            | E::ExternalCommitWithMoreThanOneRemove
            | E::DuplicatePskIds
            | E::InvalidProposalTypeInExternalCommit(_)
            | E::CommitterSelfRemoval
            | E::OnlyMembersCanCommitProposalsByRef
            | E::OtherProposalWithReInit
            | E::ProposalNotFound
            | E::RemovingNonExistingMember
            | E::UpdatingNonExistingMember
            | E::CommitMissingPath
    )
}

/// The name of the mls-rs error, in snake case: `CommitMissingPath` becomes `commit_missing_path`.
fn variant_name(error: &Engine) -> String {
    let debug = format!("{error:?}");
    let camel = debug.chars().take_while(char::is_ascii_alphanumeric);
    camel.fold(String::new(), |mut name, letter| {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
        name
    })
}
