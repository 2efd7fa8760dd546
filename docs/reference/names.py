"""How pydoctor reads this project's docstrings.

They are reStructuredText, but for one thing.  What arguments and attributes mean is written as ::

    timeout -- seconds
    receipt, transaction -- see ``send``

which reStructuredText runs together into one paragraph.  Here each becomes an entry of a definition list, and
an attribute that has no docstring of its own gets its meaning from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc

from pydoctor.extensions import DocumentableMixin, ExtRegistrar
from pydoctor.model import (
    Attribute,
    CanContainImportsDocumentable,
    Class,
    Documentable,
    Function,
    Module,
    PrivacyClass,
    System,
    get_docstring,
)

NAMES = re.compile(r"^( *)(\w+(?:, \w+)*) -- (?=\S)", re.MULTILINE)
ENTRY = re.compile(rf"{NAMES.pattern}(.*(?:\n\1 .*)*)", re.MULTILINE)


def definitions(docstring: str) -> str:
    """The same with definition lists.  Each entry takes a line more: so far are warnings off their lines."""
    if NAMES.match(docstring):
        docstring = f"What it is given:\n\n{docstring}"  # else the first meaning would stand for the whole
    return NAMES.sub(r"\1\2\n\1    ", docstring)


def meanings(docstring: str) -> Iterator[tuple[str, str]]:
    for _, names, meaning in ENTRY.findall(docstring):
        for name in names.split(", "):
            yield name, cleandoc(meaning)


class NamesAndMeanings(DocumentableMixin):
    meanings: dict[str, str] = {}
    written_in: Documentable | None = None

    def _setDocstringValue(self, doc: str, lineno: int) -> None:
        self.meanings = dict(meanings(doc))
        super()._setDocstringValue(definitions(doc), lineno)

    # What a package exports is moved there.  The names in its annotations are still those of its own module.

    def reparent(self, new_parent: Module, new_name: str) -> None:
        self.written_in = None if isinstance(self, Module) else self.parent
        super().reparent(new_parent, new_name)

    def expandAnnotationName(self, name: str) -> str:
        return (self.written_in or super()).expandAnnotationName(name)


class Reference(System):
    custom_extensions = [__name__]

    def objForFullName(self, fullName: str) -> Documentable | None:
        """Also by the name that something had before it was moved to the package that exports it."""
        found = super().objForFullName(fullName)
        if found is None:
            module, _, name = fullName.rpartition(".")
            before = super().objForFullName(module)
            if isinstance(before, CanContainImportsDocumentable):
                found = super().objForFullName(before._localNameToFullName_map.get(name, ""))
        return found

    def privacyClass(self, ob: Documentable) -> PrivacyClass:
        """What no docstring tells of is promised to nobody; nor are modules of a package with an ``__all__``.

        The package at the top has one for the usual names of public modules.
        """
        privacy = super().privacyClass(ob)
        if privacy is PrivacyClass.HIDDEN or any(ob.fullName() == named for _, named in self.options.privacy):
            return privacy
        if isinstance(ob, Attribute | Function):
            told = is_documented(ob)
        else:
            package = ob.parent
            told = not (
                isinstance(ob, Module)
                and isinstance(package, Module)
                and package.parent is not None
                and package.all is not None
            )
        return privacy if told else PrivacyClass.PRIVATE


def is_documented(ob: Documentable) -> bool:
    return ob.parsed_docstring is not None or get_docstring(ob)[0] is not None


def give_meanings(system: System) -> None:
    for owner in system.objectsOfType(Class):
        made = owner.contents.get("__init__")
        if made is not None and not is_documented(made):
            made.docstring = "See above."
            made.docstring_lineno = owner.docstring_lineno
        for name, meaning in owner.meanings.items():
            attribute = owner.contents.get(name)
            if isinstance(attribute, Attribute) and not is_documented(attribute):
                attribute.docstring = meaning
                attribute.docstring_lineno = owner.docstring_lineno


def setup_pydoctor_extension(registrar: ExtRegistrar) -> None:
    registrar.register_mixin(NamesAndMeanings)
    registrar.register_post_processor(give_meanings)
