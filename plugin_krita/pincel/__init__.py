"""Pincel in Krita: colours and resolution from a docker and from the menu Tools > Scripts.

Krita imports this package; the engine runs in a process of its own. Standard library and Krita's own PyQt only.
"""

__version__ = "0.1.0"


def _inside_krita():
    import krita

    return krita.Krita.instance() is not None and hasattr(krita, "DockWidgetFactory")


if _inside_krita():
    from .docker import register

    register()
