"""`/registry/{municipality}/device-profiles`: those of the program, and own ones.

All take a token with the permission `register` in the municipality.
"""

from typing import Annotated, Any, Final

import msgspec
from fastapi import Header, Path, Query, Response

from api import PREFIX
from api.parameters import KEY, MunicipalityKey, Store
from api.problems import responses
from api.registering import Router, version_in
from api.schemas import device_profiles as schemas
from verkehrspuls.registry import own_profiles
from verkehrspuls.registry.device_profiles import Prose, Texts
from verkehrspuls.registry.own_profiles import MAX_CHARACTERS, Known
from verkehrspuls.text import LANGUAGES

router = Router("/registry/{municipality}/device-profiles")
#: before the entries of the registry, whose addresses begin alike
ORDER: Final = 126

#: pattern of the paths that take device profiles, and bytes of a body with one: of a
#: character up to six as JSON
DOCUMENTS: Final = rf"{PREFIX}/registry/[^/]+/device-profiles/[^/]+"
MAX_BYTES: Final = 6 * MAX_CHARACTERS + 1000

_CHANGING: Final = responses(409, 412)

ProfileKey = Annotated[
    str, Path(description="its key", pattern=KEY, examples=["parametric-pcr2"])
]
IfMatch = Annotated[
    str | None,
    Header(description="`version` of the own one that you saw; without it, it is new"),
]


@router.get("", summary="List device profiles", response_model=schemas.DeviceProfiles)
def list_device_profiles(
    store: Store, municipality: MunicipalityKey
) -> dict[str, object]:
    """List the device profiles that can be used here: own ones first."""
    with store.connection() as connection:
        found = own_profiles.list_profiles(connection, municipality)
    return {"device_profiles": [_listed(one) for one in found]}


@router.get(
    "/{profile}",
    summary="Show a device profile",
    response_model=schemas.DeviceProfileInFull,
)
def get_device_profile(
    store: Store, response: Response, municipality: MunicipalityKey, profile: ProfileKey
) -> dict[str, object]:
    """Show a device profile with its TOML; of an own one the `ETag` is its version."""
    with store.connection() as connection:
        found = own_profiles.find(connection, municipality, profile)
    return _shown(found, response)


@router.put(
    "/{profile}",
    summary="Keep a device profile",
    response_model=schemas.DeviceProfileInFull,
    responses=_CHANGING,
)
def put_device_profile(
    store: Store,
    response: Response,
    municipality: MunicipalityKey,
    profile: ProfileKey,
    wanted: schemas.NewDeviceProfile,
    if_match: IfMatch = None,
) -> dict[str, object]:
    """Keep a device profile of the municipality's own, or replace one.

    The key of one that comes with the program is refused.
    """
    with store.writing() as connection:
        own_profiles.save(
            connection,
            municipality,
            profile,
            wanted.document,
            seen=version_in(if_match),
        )
        found = own_profiles.find(connection, municipality, profile)
    return _shown(found, response)


@router.delete(
    "/{profile}",
    summary="Remove a device profile",
    status_code=204,
    responses=_CHANGING,
)
def remove_device_profile(
    store: Store,
    municipality: MunicipalityKey,
    profile: ProfileKey,
    if_match: IfMatch = None,
) -> None:
    """Remove an own device profile; sensors that were registered by it stay."""
    with store.writing() as connection:
        seen = version_in(if_match)
        own_profiles.remove(connection, municipality, profile, seen=seen)


@router.post(
    "/{profile}/sensors",
    summary="Register a sensor by a device profile",
    response_model=schemas.DeviceProfileUsed,
    responses=_CHANGING,
)
def use_device_profile(
    store: Store,
    municipality: MunicipalityKey,
    profile: ProfileKey,
    wanted: schemas.DeviceProfileUse,
    dry_run: Annotated[
        bool, Query(description="only check it, and say what would change")
    ] = False,
) -> dict[str, object]:
    """Register a sensor by a device profile, with the channels that its site lacks."""
    with store.writing() as connection:
        known = own_profiles.find(connection, municipality, profile)
        found = own_profiles.usable(known)
        changes = own_profiles.use(
            connection, municipality, found, **wanted.model_dump(), dry_run=dry_run
        )
    return {
        "dry_run": dry_run,
        "changes": [change.summary() for change in changes],
        "configure": _texts(found.configure),
    }


def _listed(known: Known) -> dict[str, Any]:
    profile, own = known.profile, known.own
    return {
        "key": known.key,
        "own": own is not None,
        "name": _texts(profile.name) if profile else {},
        "kind": profile.kind if profile else "",
        "measures": _texts(profile.measures) if profile else {},
        "payload_formats": profile.formats if profile else [],
        "version": own and own.version,
        "saved_at": own and own.saved_at,
        "saved_by": own.saved_by if own else "",
        "problem": known.problem
        and {name: known.problem.in_language(name) for name in LANGUAGES},
    }


def _shown(known: Known, response: Response) -> dict[str, Any]:
    profile = known.profile
    if known.own is not None:
        response.headers["ETag"] = f'"{known.own.version}"'
    return _listed(known) | {
        "ids": {name: profile.ids_of(name) for name in profile.formats}
        if profile
        else {},
        "outputs": msgspec.to_builtins(profile.outputs) if profile else [],
        "configure": _texts(profile.configure) if profile else {},
        "document": known.document,
    }


def _texts(texts: Texts | Prose) -> dict[str, str]:
    return {name: texts.in_language(name) for name in LANGUAGES}
