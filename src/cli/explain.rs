//! `conduit explain`: what would happen to a request.

use super::{Failure, args};

pub(super) fn run(args: &args::Explain) -> Result<(), Failure> {
    let _ = (&args.file, &args.request, &args.headers);
    Err(Failure::Usage("`conduit explain` is not part of this build.".to_owned()))
}
