class GeneratorError(Exception):
    pass
