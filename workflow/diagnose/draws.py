"""What the next draws depend on, and how they are pinned or left out. Runs under Python 3.7."""

import random

import numpy

from diagnose.data import digest


class Draws:
    """States of generators, seeds of operations, layers that make noise."""

    def draw_state(self):
        """Return what the next draws depend on: states of generators and seeds of operations."""
        state = {
            "numpy": digest([numpy.array(part) for part in numpy.random.get_state()[1:3]]),
            "python": digest([numpy.array(random.getstate()[1])]),
        }
        try:
            if self.tensorflow.executing_eagerly():
                from tensorflow.python.eager import context

                state["framework_seed"] = context.global_seed()
                generator = getattr(context.context(), "_rng", None)
                state["operations"] = repr(
                    generator and digest([numpy.array(generator.getstate()[1])])
                )
            else:
                graph = getattr(self.tensorflow.compat, "v1", self.tensorflow).get_default_graph()
                state["framework_seed"] = graph.seed
                seeds = [
                    operation.get_attr("seed2")
                    for operation in graph.get_operations()
                    if operation.type.startswith("Random") and "nitializer" not in operation.name
                ]
                state["operations"] = digest([numpy.array(seeds)])
        except (ImportError, AttributeError, ValueError):
            state["operations"] = None
        return state

    def hold_generators(self, number):
        """Keep the states of all generators at a training call, or give them another run's."""
        context = None
        if self.tensorflow.executing_eagerly():
            from tensorflow.python.eager import context

            context = context.context()
        framework = getattr(context, "_rng", None)
        generators = {"python": random, "framework": framework} if framework else {"python": random}
        key = "draws/%d/" % number
        if self.pinned is not None and key + "numpy" in self.pinned.arrays:
            *words, position = self.pinned.arrays[key + "numpy"].tolist()
            numpy.random.set_state(("MT19937", words, position))
            for name, generator in generators.items():
                if key + name in self.pinned.arrays:
                    generator.setstate((3, tuple(self.pinned.arrays[key + name].tolist()), None))
            seed = self.pinned.training_calls()[number]["draws"].get("framework_seed")
            if framework and seed is not None:
                context._seed = seed
            self.did("draws")
        elif self.plan.get("whole"):
            words, position = numpy.random.get_state()[1:3]
            self.arrays[key + "numpy"] = numpy.append(words, numpy.uint32(position))
            for name, generator in generators.items():
                self.arrays[key + name] = numpy.array(generator.getstate()[1], "uint32")

    def silent(self, original, layer, inputs, *args, **kwargs):
        """Let a layer that adds noise hand on its input."""
        self.did("draws")
        return self.tensorflow.identity(inputs)
